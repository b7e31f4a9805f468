"""What people are told of wallets, and of whether the books agree with them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

import pytest

from handlers import wallet_trial, wallet_trouble
from handlers.context import Question, WalletOffer
from handlers.payment import Go
from handlers.payment_evidence import Policy, note_list
from handlers.reconciliation import WalletList
from handlers.wallet_test import Trial, found_text
from ledger.decide.attempt import WalletProfile
from ledger.errors import Code, Refusal
from ledger.states import SettlementStatus
from nwc.evidence import Listing
from nwc.messages import Transaction
from nwc.profile import Found, Looks
from storage import wallets
from tests.handlers.desk import ANA, BOSS, NOW, PAID_ITSELF, SETTINGS, SUPER, WELL, Desk
from tests.handlers.test_settlement_orders import balance
from tests.handlers.till import Till, report
from tests.ledger.build import hash_of, preimage

LISTS = Policy(SETTINGS.payments, 0)
LNBITS = Found(Looks.LNBITS, WalletProfile.LNBITS, repays=False)

# --- wallet list, wallet test -----------------------------------------------------------------------------------------


async def test_the_list(desk: Desk) -> None:
    await desk.with_machine()
    await desk.tx(lambda tx: wallets.set_balance(tx, "main", 1_203_000_500, NOW - 60))
    await desk.tx(lambda tx: wallets.pause(tx, "second", "quota", 0, NOW))
    desk.live = replace(
        desk.live, offers={"main": WalletOffer(("get_balance", "pay_invoice"), ("nip44_v2",))}, heard={"main": NOW - 5}
    )
    listed = await desk.ask(BOSS, "wallet.list")
    assert listed["items"][0] == {
        "name": "main",
        "up": True,
        "machine": "sintra",
        "balance_sats": 1_203_000,
        "balance_at": NOW - 60,
        "in_flight_sats": 0,
        "paused_reason": None,
        "profile": "unknown",
        "profile_found": None,
        "methods": ["get_balance", "pay_invoice"],
        "encryption": ["nip44_v2"],
        "last_answer_at": NOW - 5,
    }
    assert listed["next"] is None
    assert await desk.told(BOSS, "wallets") == (
        "Wallets:\n"
        "main (sintra): 1,203,000 sats\n"
        "second (no machine): balance unknown, not reached, last heard never, stopped: the connection's budget is used"
        " up\n"
        "To try one: wallet test main"
    )


async def test_wallets_that_are_not_configured_any_more_and_pages(desk: Desk) -> None:
    first = await desk.ask(BOSS, "wallet.list", limit=1)
    assert ([each["name"] for each in first["items"]], first["next"]) == (["main"], "main")
    second = await desk.ask(BOSS, "wallet.list", limit=1, before="main")
    assert ([each["name"] for each in second["items"]], second["next"]) == (["second"], None)
    desk.with_settings(wallets=frozenset({"second"}))
    assert [each["name"] for each in (await desk.ask(BOSS, "wallet.list"))["items"]] == ["second"]
    assert (await desk.refused(BOSS, "wallet.test", wallet="main"))["code"] == "not_found"


async def test_a_wallet_that_answers_well(desk: Desk) -> None:
    await desk.with_machine()
    found = await desk.ask(BOSS, "wallet.test", wallet="main")
    assert found["tests"]["lookup"] == {
        "ok": True, "error": None, "milliseconds": 120, "answer": "NOT_FOUND: no such payment",
    }  # fmt: skip
    assert found["tests"]["list"] == {"ok": True, "error": None, "milliseconds": 240, "listed": 3}
    assert (found["balance_sats"], found["balance_at"], found["missing_methods"]) == (1_500_000, NOW, [])
    assert await desk.told(BOSS, "wallet test main") == (
        "Wallet main answers as it should.\n"
        "main (sintra): 1,500,000 sats\n"
        "What it offers: well, 20 ms\n"
        "Balance: well, 110 ms\n"
        "Look-up of a payment nobody made: well, 120 ms\n"
        "List of payments: well, 240 ms\n"
        "Profile: unknown. It looks like none of the wallets that I know.\n"
        "Encryption: nip04, nip44_v2\n"
        "No sat was moved. All wallets: wallet list"
    )
    assert await desk.count("SELECT count(*) FROM audit WHERE command LIKE 'wallet%'") == 0


@pytest.mark.parametrize(
    ("changes", "head", "told"),
    [
        (
            {"methods": ("get_balance", "pay_invoice")},
            "Wallet main is not fit to pay from: it does not offer list_transactions, lookup_invoice.",
            "",
        ),
        (
            {"lookup": Trial("INTERNAL: oops", 7), "lookup_answer": "INTERNAL: oops"},
            "Wallet main answers, and not all is well:",
            "Without a plain “not found” a payment that fails there waits for you instead of being tried again.",
        ),
        (
            {"balance": Trial("UNAUTHORIZED", 7), "balance_msat": None},
            "Wallet main answers, and not all is well:",
            "Balance: UNAUTHORIZED",
        ),
    ],
)
async def test_a_wallet_that_is_not_well(desk: Desk, changes: dict[str, Any], head: str, told: str) -> None:
    desk.wallet_test = replace(WELL, **changes)
    text = await desk.told(BOSS, "wallet test main")
    assert text.startswith(head)
    assert told in text


@pytest.mark.parametrize(
    ("named", "changes", "told"),
    [
        (None, {"found": LNBITS}, "Profile: lnbits. It looks like LNbits."),
        ("alby-lnd", {"found": LNBITS}, "Profile: alby-lnd, by the configuration. It looks like LNbits (lnbits)."),
        (None, {"found": None}, "Profile: unknown. What it is can't be told now."),
        (None, {"preimages": False}, "It shows no proof of what it pays: each payment then waits for you."),
    ],
)
async def test_what_kind_of_wallet_it_is(desk: Desk, named: str | None, changes: dict[str, Any], told: str) -> None:
    desk.wallet_test = replace(WELL, **changes)
    kept = found_text(LNBITS, preimages=None, metadata=None, now=NOW)
    if named:
        await desk.tx(lambda tx: wallets.set_profile(tx, "main", WalletProfile(named)))
    elif changes.get("found"):
        await desk.tx(lambda tx: wallets.find_profile(tx, "main", LNBITS.profile, kept, repays=False, now=NOW))
    text = await desk.told(BOSS, "wallet test main")
    assert told in text.splitlines()
    assert len(text.splitlines()) <= 12
    found = (await desk.ask(BOSS, "wallet.list"))["items"][0]["profile_found"]
    assert found == (json.loads(kept) if not named and changes.get("found") else None)


async def test_a_wallet_that_was_taken_out_stays_in_sight_while_something_of_it_is_open(owed: Till) -> None:
    desk = owed.desk
    desk.with_settings(wallets=frozenset({"second"}))
    assert [each["name"] for each in (await desk.ask(BOSS, "wallet.list"))["items"]] == ["second"]
    await desk.tx(lambda tx: wallet_trouble.connections_seen(tx, {"second"}, {BOSS}, desk.now))
    listed = (await desk.ask(BOSS, "wallet.list"))["items"]
    assert [(each["name"], each["paused_reason"]) for each in listed] == [("main", "gone"), ("second", None)]


async def test_a_wallet_that_does_not_answer(desk: Desk) -> None:
    desk.wallet_test = Refusal(Code.WALLET_ERROR, "wallet {wallet} does not answer", field="wallet", wallet="main")
    assert (await desk.refused(BOSS, "wallet.test", wallet="MAIN"))["code"] == "wallet_error"
    assert await desk.told(BOSS, "wallet test main") == "Not done: wallet main does not answer"


async def test_unknown_wallets_and_others_than_operators(desk: Desk) -> None:
    await desk.with_machine()
    await desk.with_lp(deposited=None)
    near = await desk.refused(BOSS, "wallet.test", wallet="seconds")
    assert (near["code"], near["field"]) == ("not_found", "wallet")
    assert "do you mean second?" in near["message"]
    assert "there are main, second" in (await desk.refused(BOSS, "wallet.test", wallet="x"))["message"]
    for who in (ANA, SUPER):
        for method in ("wallet.list", "wallet.test", "reconcile"):
            params = {"wallet": "main"} if method == "wallet.test" else {}
            answer = await desk.json(who, {"method": method, "params": params})
            assert answer["error"]["code"] == "forbidden"


@pytest.mark.parametrize(
    ("order", "platforms", "told"),
    [
        ("wallet test main", frozenset(), None),
        ("audit", frozenset({BOSS}), "Not done: what you may do here has just changed: send it again"),
    ],
)
async def test_what_one_may_no_longer_see_is_not_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, order: str, platforms: frozenset[str], told: str | None
) -> None:
    """An operator who is struck from the configuration between question and answer, or is only the platform then."""
    await desk.with_machine()
    found_out = Desk._found_out

    async def meanwhile(asked: Desk, question: Question) -> Any:
        found = await found_out(asked, question)
        asked.with_settings(operators=frozenset(), platforms=platforms)
        return found

    monkeypatch.setattr(Desk, "_found_out", meanwhile)
    answer = await desk.say(BOSS, order)
    assert answer is not None
    assert "sintra" not in answer
    assert told is None or answer == told


# --- wallet try -------------------------------------------------------------------------------------------------------


async def confirmed(desk: Desk, text: str) -> str:
    """What is said when the code of a money order is given back."""
    code = re.search(r"confirm (\w{6})", await desk.told(BOSS, text))
    assert code is not None
    return await desk.told(BOSS, f"confirm {code[1]}")


async def test_a_wallet_pays_itself_only_when_that_is_confirmed(desk: Desk) -> None:
    told = await desk.told(BOSS, "wallet try main")
    assert "Wallet main pays 1 sat to itself." in told
    assert (await desk.refused(BOSS, "wallet.try", wallet="main"))["code"] == "confirm_required"
    assert await desk.count("SELECT count(*) FROM audit WHERE command = 'wallet try'") == 0
    assert await confirmed(desk, "wallet try main") == (
        "Wallet main paid 1 sat to itself, 700 ms, fee 0 sats\n"
        "Proof of payment: given\n"
        "Its list names what each payment is for.\n"
        "What else it can do: wallet test main"
    )
    assert await desk.count("SELECT count(*) FROM audit WHERE command = 'wallet try'") == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"fees_msat": None, "metadata": None}, "Wallet main paid 1 sat to itself, 700 ms, fee not told"),
        ({"preimage": False}, "Proof of payment: none. Each payment from it then waits for you."),
        ({"metadata": False}, "Its list does not name what a payment is for."),
        ({"paid": False}, "Wallet main did not pay itself: it did not answer in time"),
        ({"paid": False, "error": "OTHER no route"}, "Wallet main did not pay itself: OTHER no route"),
    ],
)
async def test_what_comes_of_a_trial(desk: Desk, changes: dict[str, Any], told: str) -> None:
    desk.wallet_trial = replace(PAID_ITSELF, **changes)
    assert told in (await confirmed(desk, "wallet try main")).splitlines()
    found = await desk.ask(BOSS, "wallet.try", confirm=True, wallet="main")
    assert {key: found[key] for key in changes} == changes


async def test_nothing_is_tried_where_nothing_is_paid(desk: Desk) -> None:
    await desk.told(BOSS, "pause")
    assert (await desk.refused(BOSS, "wallet.try", confirm=True, wallet="main"))["code"] == "paused"
    await desk.told(BOSS, "resume")
    await desk.tx(lambda tx: wallets.pause(tx, "main", "quota", 0, NOW))
    assert (await desk.refused(BOSS, "wallet.try", confirm=True, wallet="main"))["code"] == "paused"
    assert (await desk.refused(BOSS, "wallet.try", confirm=True, wallet="third"))["code"] == "not_found"


async def test_what_a_trial_cost_is_booked_once_and_explains_what_the_wallet_lists(paid: Till) -> None:
    """It is nobody's payment: neither unmatched, nor a difference, nor what a machine may call a customer's."""
    desk, tried = paid.desk, "ab" * 32
    await desk.tx(lambda tx: wallet_trial.begin(tx, "main", tried, desk.now))
    with pytest.raises(Refusal, match="seen before"):
        await desk.tx(lambda tx: wallet_trial.begin(tx, "main", tried, desk.now))
    rows = [row(tried, 1, fees_paid_msat=7), row(tried, 1, "incoming")]
    for _ in range(2):
        listing = Listing(tuple(rows), complete=True)
        await desk.tx(
            lambda tx, listing=listing: note_list(  # type: ignore[misc]
                tx, "main", listing, starts_at=0, asked_at=desk.now, policy=LISTS, now=desk.now
            )
        )
    assert await desk.count("SELECT count(*) FROM unmatched") == 0
    assert await reconciled(paid, (*RIGHT, *rows)) == []
    assert await balance(paid, "expenses:trials:main") == 7
    assert await paid.violations() == []
    await paid.receive(report(tried))
    assert await paid.prove(2) is SettlementStatus.REJECTED
    why = "this payment tried a wallet: no customer made it"
    assert await desk.count("SELECT count(*) FROM settlements WHERE id = 2 AND detail = ?", why) == 1


async def test_a_fee_that_no_wallet_takes_is_not_booked(paid: Till) -> None:
    await paid.desk.tx(lambda tx: wallet_trial.begin(tx, "main", "ab" * 32, paid.now))
    await paid.desk.tx(lambda tx: wallet_trial.settle(tx, "main", "ab" * 32, 10**9, paid.now))
    assert await paid.desk.count("SELECT count(*) FROM journal WHERE kind = 'wallet.tried'") == 0


# --- reconcile --------------------------------------------------------------------------------------------------------

CUSTOMER = hashlib.sha256(b"payment 1").hexdigest()


def row(
    payment_hash: str, sats: int, direction: Literal["incoming", "outgoing"] = "outgoing", **more: Any
) -> Transaction:
    return Transaction(direction, payment_hash, sats * 1_000, **{"state": "settled", "settled_at": NOW, **more})


def listed(now: int, rows: Iterable[Transaction], **changes: Any) -> WalletList:
    found = WalletList("main", NOW, now, complete=True)
    found.take(rows)
    return replace(found, **changes)


@pytest.fixture
async def paid(owed: Till) -> Till:
    """P1 and P2 are paid, P3 is on its way; an hour has gone by."""
    await owed.paid(1, 1)
    await owed.paid(2, 2)
    await owed.sent(3, 3)
    owed.advance(3_600)
    return owed


RIGHT = (row(CUSTOMER, 108_000, "incoming"), row(hash_of(1), 3_000), row(hash_of(2), 5_000))


async def reconciled(till: Till, rows: Iterable[Transaction], **changes: Any) -> list[tuple[str, str]]:
    till.desk.lists = [listed(till.now, rows, **changes)]
    found = await till.desk.ask(BOSS, "reconcile")
    assert found["count"] == len(found["differences"])
    return sorted((each["name"], each["ref"]) for each in found["differences"])


async def test_no_difference(paid: Till) -> None:
    assert await reconciled(paid, RIGHT) == []
    found = await paid.desk.ask(BOSS, "reconcile")
    assert found["wallets"] == [{"name": "main", "since": NOW, "listed": 3, "complete": True, "error": None}]
    assert {name: found["checked"][name] for name in ("settlements", "legs", "attempts", "listed", "unmatched")} == {
        "settlements": 1, "legs": 4, "attempts": 3, "listed": 3, "unmatched": 0,
    }  # fmt: skip
    assert await paid.desk.told(BOSS, "reconcile") == (
        "No difference.\nCompared settlements: 1, payments: 4, wallets: 1, what they list: 3."
    )


@pytest.mark.parametrize(
    ("rows", "differences"),
    [
        (RIGHT[1:], [("not_in_wallet", "S1")]),
        (RIGHT[:2], [("not_in_wallet", "P2")]),
        ((*RIGHT[:2], row(hash_of(2), 5_001)), [("wallet_amount", "P2")]),
        ((row(CUSTOMER, 107_999, "incoming"), *RIGHT[1:]), [("wallet_amount", "S1")]),
        ((row(CUSTOMER, 108_000), *RIGHT[1:]), [("not_in_wallet", "S1"), ("unexplained_payment", CUSTOMER)]),
        ((*RIGHT, row("ab" * 32, 7)), [("unexplained_payment", "ab" * 32)]),
        ((*RIGHT, row("ab" * 32, 7, "incoming")), [("unexplained_payment", "ab" * 32)]),
        ((*RIGHT, row("ab" * 32, 7, state="pending")), []),
        ((*RIGHT, row("ab" * 32, 7, state=None, settled_at=None)), []),
        ((*RIGHT, row("ab" * 32, 7, settled_at=NOW - 1)), []),  # before the bot met the wallet
        ((*RIGHT, row("ab" * 32, 7, settled_at=NOW + 3_300)), []),  # the machine may be slow to report it
        ((*RIGHT, row(hash_of(3), 75_000)), []),  # the resolver has not asked yet
    ],
)
async def test_what_a_list_tells(paid: Till, rows: tuple[Transaction, ...], differences: list[tuple[str, str]]) -> None:
    assert await reconciled(paid, rows) == differences


async def test_a_payment_that_had_been_given_up(paid: Till) -> None:
    await paid.release(3)
    later = (*RIGHT, row(hash_of(3), 75_000, preimage=preimage(3)))
    assert await reconciled(paid, later) == [("paid_after_release", "P3")]


async def test_a_payment_whose_request_never_left(paid: Till) -> None:
    """It can't be ours: nobody was asked to pay it."""
    assert await paid.ready(4, 4) is not None
    assert await reconciled(paid, (*RIGHT, row(hash_of(4), 25_000))) == [("unexplained_payment", hash_of(4))]


async def test_half_a_list_and_no_list_are_told_of_and_prove_nothing(paid: Till) -> None:
    assert await reconciled(paid, RIGHT[:1], complete=False) == []
    assert await paid.desk.told(BOSS, "reconcile") == (
        "No difference in what could be compared, which is not everything.\n"
        "Wallet main did not give its whole list.\n"
        "Compared settlements: 1, payments: 4, wallets: 1, what they list: 1."
    )
    assert await reconciled(paid, [], complete=False, error="none of its relays is connected") == []
    text = await paid.desk.told(BOSS, "reconcile")
    assert text.splitlines()[:2] == [
        "No difference in what could be compared, which is not everything.",
        "Not compared: wallet main: none of its relays is connected",
    ]


async def test_many_differences_are_counted_first_and_fit(paid: Till) -> None:
    strange = [row(hashlib.sha256(f"{number}".encode()).hexdigest(), 7) for number in range(1_500)]
    paid.desk.lists = [listed(paid.now, [*RIGHT, *strange])]
    lines = (await paid.desk.told(BOSS, "reconcile")).splitlines()
    assert lines[0] == "1,500 differences."
    assert len(lines) <= 12
    assert lines[6] == "and 1,495 more"
    found = await paid.desk.ask(BOSS, "reconcile")
    assert found["count"] == 1_500
    assert 50 < len(found["differences"]) < 1_000
    assert found["next"] is not None


async def test_what_is_on_the_worklist_already_is_no_news(paid: Till) -> None:
    await paid.desk.tx(
        lambda tx: tx.insert(
            "unmatched", payment_hash="ab" * 32, wallet="main", direction="outgoing", amount_msat=7_000, settled_at=NOW,
            seen_at=NOW,
        )
    )  # fmt: skip
    assert await reconciled(paid, (*RIGHT, row("ab" * 32, 7))) == []
    assert "Payments without a settlement, on the worklist: 1" in await paid.desk.told(BOSS, "reconcile")


async def test_a_rotated_connection_begins_anew(desk: Desk) -> None:
    def connected_at() -> Any:
        return desk.count("SELECT connected_at FROM wallets WHERE name = 'main'")

    before = await desk.tx(lambda tx: wallets.get(tx, "main"))
    assert before is not None
    for pubkey, at, expected in ((before.wallet_pubkey, 5, NOW), ("ab" * 32, 7, NOW + 7), ("ab" * 32, 9, NOW + 7)):
        await desk.tx(
            lambda tx, pubkey=pubkey, at=at: wallets.register(  # type: ignore[misc]
                tx, "main", wallet_pubkey=pubkey, client_pubkey=before.client_pubkey, now=NOW + at
            )
        )
        assert await connected_at() == expected


# --- what a list must never show -------------------------------------------------------------------------------------


async def held(till: Till) -> list[str]:
    return [hold["name"] for hold in (await till.desk.ask(BOSS, "status"))["holds"]]


@pytest.mark.parametrize(
    ("rule", "rows"),
    [
        ("wallet_amount", [*RIGHT, row(hash_of(1), 3_001)]),
        ("paid_twice", [*RIGHT, replace(RIGHT[1], settled_at=(RIGHT[1].settled_at or 0) + 7)]),
    ],
)
async def test_a_payment_of_ours_that_the_wallet_shows_otherwise_holds_all(
    paid: Till, rule: str, rows: list[Transaction]
) -> None:
    """Nothing more is paid until a list that was read to its end shows it right, or an operator lives with it."""
    assert (rule, "P1") in await reconciled(paid, rows)
    assert await held(paid) == ["books"]
    assert await paid.open(4) is Go.LATER
    assert any(rule in text for text in await paid.told())
    await paid.desk.told(BOSS, "resume")
    assert await held(paid) == ["books"], "the books alone don't show it"
    await reconciled(paid, RIGHT, complete=False)
    await paid.desk.told(BOSS, "resume")
    assert await held(paid) == ["books"], "the list was not whole"
    await reconciled(paid, RIGHT)
    assert await held(paid) == ["books"], "nobody has looked yet"
    await paid.desk.told(BOSS, "resume")
    assert await held(paid) == []
    await paid.paid(4, 4)


async def test_what_an_operator_lives_with_holds_nothing_the_next_day(paid: Till) -> None:
    await reconciled(paid, [*RIGHT, row(hash_of(1), 3_001)])
    await paid.desk.ask(BOSS, "hold.lift", hold="books", reason="this wallet adds its fee", confirm=True)
    assert await reconciled(paid, [*RIGHT, row(hash_of(1), 3_001)]) == [("wallet_amount", "P1")]
    assert await held(paid) == []
    await reconciled(paid, [*RIGHT, row(hash_of(1), 3_001), row(hash_of(2), 5_001)])
    assert await held(paid) == ["books"]
    await paid.desk.ask(BOSS, "hold.lift", hold="books", reason="this one too", confirm=True)


@pytest.mark.parametrize("rows", [RIGHT[1:], [*RIGHT, row("ab" * 32, 7)]])
async def test_what_may_have_a_reason_is_told_and_holds_nothing(paid: Till, rows: list[Transaction]) -> None:
    assert await reconciled(paid, rows)
    assert await held(paid) == []
