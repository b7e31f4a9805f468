"""Two ways to every balance: entry by entry through the journal, and anew from what is stored. They agree, always."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import journal as books
from ledger.balances import check_accounts, expected, read_journal
from ledger.decide.distribution import still_due
from ledger.facts import AttemptFacts, DepositFacts, JournalRow, LegFacts, SettlementFacts, Violation
from ledger.journal import GENESIS, Entry, Posting, chain_hash
from ledger.model import Leg, PlannedLeg, Settlement
from ledger.states import AttemptState, DepositStatus, LegStatus, LegType, SettlementStatus
from tests.ledger.build import T, attempt, cash_in, leg, leg_facts, paid_leg, scaled, settlement, with_requests


def chained(entries: Iterable[Entry]) -> list[JournalRow]:
    rows: list[JournalRow] = []
    previous = GENESIS
    for number, entry in enumerate(entries, 1):
        previous = chain_hash(previous, number, T, entry.kind, entry.ref, entry.postings)
        rows.append(JournalRow(number, T, entry.kind, entry.ref, entry.postings, previous))
    return rows


def planned(made: Leg) -> PlannedLeg:
    return PlannedLeg(made.type, LegStatus.PENDING, made.amount_sats, made.payee, made.target, made.label)


def books_of(settlements: list[SettlementFacts], others: list[LegFacts], deposits: list[DepositFacts]) -> list[Entry]:
    """The entries that lead to these facts, as storage writes them."""
    entries = [
        books.deposit_confirmed(d.id, d.machine_id, d.lp_id, d.amount_minor, d.currency)
        for d in deposits
        if d.status is DepositStatus.CONFIRMED
    ]
    for facts in settlements:
        made = facts.settlement
        if made.status in (SettlementStatus.UNVERIFIED, SettlementStatus.REJECTED):
            continue
        landed = replace(
            made, landed=None, **asdict(made.as_landed), fee_mismatch_sats=made.as_landed.fee_mismatch_sats
        )
        entries += [books.settlement_accepted(landed), books.settlement_scaled(landed, made.amounts)]
        if made.status is SettlementStatus.REFUNDED:
            standing = [each.leg for each in facts.legs]
            entries.append(books.settlement_refunded(made, still_due(made, standing)))
    for each in [each for facts in settlements for each in facts.legs] + others:
        entries += books_of_leg(each)
    return [entry for entry in entries if entry.postings]


def books_of_leg(facts: LegFacts) -> list[Entry]:
    """A voided one with an odd number was skipped before."""
    made = facts.leg
    entries = [books.legs_planned("S1", made.machine_id, [planned(made)])]
    skipped = made.status is LegStatus.SKIPPED or (made.status is LegStatus.VOIDED and made.id % 2)
    if skipped:
        entries.append(books.leg_skipped(made))
    if made.status is LegStatus.VOIDED:
        entries.append(books.leg_voided(replace(made, status=LegStatus.SKIPPED if skipped else LegStatus.FAILED)))
    settled = [each.attempt for each in facts.attempts if each.attempt.state is AttemptState.SETTLED]
    if made.status is LegStatus.COMPLETED:
        entries.append(books.leg_completed(made, sum(each.fees_msat for each in settled if not each.surplus)))
    return entries + [books.surplus_paid(made, each.amount_msat, each.fees_msat) for each in settled if each.surplus]


@st.composite
def some_leg(draw: st.DrawFn, number: int, most: int = 10**6, machine_id: int | None = None) -> LegFacts:
    kind = draw(st.sampled_from(LegType))
    status = draw(st.sampled_from(sorted(set(LegStatus) - {LegStatus.REFUNDED})))
    amount = draw(st.integers(1, most))
    fiat = kind in (LegType.DCA, LegType.SETTLEMENT)
    made = leg(
        id=number,
        machine_id=draw(st.integers(1, 2)) if machine_id is None else machine_id,
        wallet=draw(st.sampled_from(["main", "other"])),
        type=kind,
        status=status,
        amount_sats=amount,
        credit_sats=draw(st.integers(0, amount)) if status is LegStatus.COMPLETED else 0,
        fiat_minor=draw(st.integers(0, 10**6)) if fiat else 0,
        lp_id=draw(st.integers(1, 3)) if fiat else None,
        payee=draw(st.sampled_from(["platform", "lp:1", "split:aa"])),
    )
    attempts: list[AttemptFacts] = []
    if status is LegStatus.COMPLETED and made.due_msat:
        paid = attempt(
            number, leg_id=number, wallet=made.wallet, amount_msat=made.due_msat, state=AttemptState.SETTLED,
            fees_msat=draw(st.integers(0, 5_000)),
        )  # fmt: skip
        attempts.append(with_requests(paid))
    if draw(st.booleans()):
        again = attempt(
            1_000 + number, leg_id=number, wallet=made.wallet, amount_msat=amount * 1_000,
            state=draw(st.sampled_from([AttemptState.SETTLED, AttemptState.RELEASED])),
        )  # fmt: skip
        attempts.append(with_requests(replace(again, surplus=again.state is AttemptState.SETTLED)))
    return LegFacts(made, tuple(attempts))


@st.composite
def some_settlement(draw: st.DrawFn, number: int) -> SettlementFacts:
    build = draw(st.sampled_from([settlement, cash_in, scaled]))
    status = draw(st.sampled_from(SettlementStatus))
    off = draw(st.integers(-50, 50)) if build is not scaled else 0
    changes = {"platform_fee_sats": 3_000 - off, "fee_mismatch_sats": off} if off else {}
    made: Settlement = build(id=number, machine_id=draw(st.integers(1, 2)), status=status, **changes)
    if status in (SettlementStatus.UNVERIFIED, SettlementStatus.REJECTED):
        return SettlementFacts(made, ())
    legs = [draw(some_leg(number * 10 + n, 500, made.machine_id)) for n in range(draw(st.integers(0, 3)))]
    return SettlementFacts(made, tuple(each for each in legs if made.owed.get(each.leg.type) != 0))


DEPOSITS = st.lists(
    st.builds(
        DepositFacts,
        id=st.integers(1, 99),
        machine_id=st.integers(1, 2),
        lp_id=st.integers(1, 3),
        amount_minor=st.integers(1, 10**6),
        currency=st.sampled_from(["GTQ", "EUR"]),
        status=st.sampled_from(DepositStatus),
    ),
    max_size=3,
)


@given(st.data(), DEPOSITS)
def test_the_journal_leads_to_the_balances_worked_out_anew(data: st.DataObject, deposits: list[DepositFacts]) -> None:
    settlements = [data.draw(some_settlement(n)) for n in range(1, data.draw(st.integers(1, 4)))]
    others = [data.draw(some_leg(n)) for n in range(100, data.draw(st.integers(100, 102)))]
    reading = read_journal(chained(books_of(settlements, others, deposits)))
    assert reading.violations == ()
    assert check_accounts(expected(settlements, others, deposits), reading) == ()


def test_the_balances_of_a_cash_out_that_is_paid() -> None:
    paid = leg(status=LegStatus.COMPLETED, credit_sats=1_000)
    dca = leg(id=41, type=LegType.DCA, status=LegStatus.PENDING, amount_sats=100_000, payee="lp:1", lp_id=1)
    facts = SettlementFacts(
        settlement(),
        (
            leg_facts(paid, [attempt(amount_msat=2_000_000, state=AttemptState.SETTLED)]),
            leg_facts(leg(id=42, type=LegType.OPERATOR_SPLIT, status=LegStatus.FAILED, amount_sats=4_000, payee="a")),
            leg_facts(leg(id=43, type=LegType.OPERATOR_SPLIT, status=LegStatus.SKIPPED, amount_sats=1_000)),
            leg_facts(dca),
        ),
    )
    assert {key: value for key, value in expected([facts], [], []).items() if value} == {
        ("assets:wallet:main", "msat"): 108_000_000 - 2_000_000 - 1_000,
        ("assets:receivable:platform", "msat"): -1_000_000,
        ("expenses:routing:main", "msat"): 1_000,
        ("liabilities:payable:lp:1", "msat"): -100_000_000,
        ("liabilities:payable:a", "msat"): -4_000_000,
        ("equity:kept:m1", "msat"): -1_000_000,
        ("assets:cash:m1", "GTQ"): -200_000,
        ("equity:exchange:m1", "GTQ"): 200_000,
    }


@pytest.mark.parametrize(("made", "sign"), [(settlement(), 1), (cash_in(wire_sats=91_990), -1)])
def test_several_of_one_machine_add_up(made: Settlement, sign: int) -> None:
    """Each with a fee that is 10 sats over what is set, and with an attempt that failed before the one that paid."""
    made = replace(made, fee_sats=8_010, wire_sats=100_000 + sign * 8_010, fee_mismatch_sats=10)
    paid = leg_facts(
        leg(status=LegStatus.COMPLETED), [attempt(2, state=AttemptState.RELEASED), attempt(state=AttemptState.SETTLED)]
    )
    given = {
        "type": LegType.OPERATOR_SPLIT, "status": LegStatus.REFUNDED, "amount_sats": 5_000, "payee": "a",
    }  # fmt: skip
    back = leg_facts(leg(**given), [attempt(amount_msat=5_000_000, state=AttemptState.SETTLED)])
    twice = expected([SettlementFacts(made, (paid, back)), SettlementFacts(made, (paid, back))], [], [])
    due = {("liabilities:due:principal:m1", "msat"): -200_000_000} if sign > 0 else {
        ("equity:exchange:m1", "msat"): 200_000_000
    }  # fmt: skip
    assert {key: value for key, value in twice.items() if value} == {
        ("assets:wallet:main", "msat"): 2 * (sign * (100_000_000 + sign * 8_010_000) - 3_001_000 - 1_000),
        **due,
        ("income:mismatch:m1", "msat"): -20_000,
        ("expenses:routing:main", "msat"): 4_000,
        ("equity:kept:m1", "msat"): -10_000_000,
        ("assets:cash:m1", "GTQ"): sign * -400_000,
        ("equity:exchange:m1", "GTQ"): sign * 400_000,
    }


def test_an_lp_that_was_paid_twice_has_that_much_less() -> None:
    made = [paid_leg(number, type=LegType.DCA, lp_id=3, fiat_minor=6_000, payee="lp:3") for number in (7, 8)]
    deposits = [DepositFacts(number, 1, 3, 10_000, "GTQ", DepositStatus.CONFIRMED) for number in (1, 2)]
    balances = expected([], made, deposits)
    assert balances["liabilities:lp:l3:m1", "GTQ"] == 12_000 - 20_000
    assert balances["assets:cash:m1", "GTQ"] == 20_000


def test_a_fee_that_knows_an_lp_takes_no_fiat_off_it() -> None:
    made = paid_leg(7, lp_id=3, fiat_minor=6_000)
    assert expected([], [made], [])["liabilities:lp:l3:m1", "GTQ"] == 0


@pytest.mark.parametrize("kind", [LegType.DCA, LegType.SETTLEMENT])
def test_an_lp_that_was_paid_has_less_in_fiat(kind: LegType) -> None:
    paid = paid_leg(7, type=kind, lp_id=3, fiat_minor=6_000, payee="lp:3")
    balances = expected([], [paid], [])
    assert balances["liabilities:lp:l3:m1", "GTQ"] == 6_000
    assert balances["equity:exchange:m1", "GTQ"] == -6_000
    assert balances["assets:wallet:main", "msat"] == -3_001_000


def test_of_a_scaled_settlement_the_customer_is_owed_the_rest() -> None:
    balances = expected([SettlementFacts(scaled(status=SettlementStatus.PARTIAL), ())], [], [])
    assert balances["assets:wallet:main", "msat"] == 108_000_000
    assert balances["liabilities:undispensed:m1", "msat"] == -54_000_000
    assert balances["liabilities:due:principal:m1", "msat"] == -50_000_000
    assert balances["assets:cash:m1", "GTQ"] == -100_000


def test_of_a_refunded_settlement_nothing_is_due() -> None:
    """The platform was paid its 1,500; the rest of what came is kept, and 80,000 of it are paid back."""
    facts = SettlementFacts(
        scaled(status=SettlementStatus.REFUNDED),
        (
            paid_leg(1, amount_sats=1_500),
            leg_facts(leg(id=2, type=LegType.OPERATOR_SPLIT, status=LegStatus.VOIDED, amount_sats=2_500)),
            leg_facts(leg(id=3, type=LegType.REFUND, amount_sats=80_000, payee="customer:12")),
        ),
    )
    balances = {key: value for key, value in expected([facts], [], []).items() if value and key[1] == "msat"}
    assert balances == {
        ("assets:wallet:main", "msat"): 106_500_000 - 1_000,
        ("expenses:routing:main", "msat"): 1_000,
        ("liabilities:payable:customer:12", "msat"): -80_000_000,
        ("equity:kept:m1", "msat"): -26_500_000,
    }


def test_a_payee_that_gave_it_back_has_it_no_more() -> None:
    made = leg(type=LegType.DCA, status=LegStatus.REFUNDED, lp_id=1, fiat_minor=6_000, payee="lp:1")
    balances = expected([], [leg_facts(made, [attempt(state=AttemptState.SETTLED, fees_msat=0)])], [])
    assert {key: value for key, value in balances.items() if value} == {
        ("liabilities:due:principal:m1", "msat"): 3_000_000,
        ("equity:kept:m1", "msat"): -3_000_000,
    }


def test_a_balance_that_parts_from_the_journal_is_named() -> None:
    deposits = [DepositFacts(7, 1, 3, 500, "GTQ", DepositStatus.CONFIRMED)]
    entry = books.deposit_confirmed(7, 1, 3, 400, "GTQ")
    extra = Entry("x", "x", (Posting("equity:odd", "msat", 1), Posting("assets:wallet:main", "msat", -1)))
    assert check_accounts(expected([], [], deposits), read_journal(chained([entry, extra]))) == (
        Violation("account", "assets:cash:m1", "GTQ: the journal has 400, it must be 500"),
        Violation("account", "assets:wallet:main", "msat: the journal has -1, it must be 0"),
        Violation("account", "equity:odd", "msat: the journal has 1, it must be 0"),
        Violation("account", "liabilities:lp:l3:m1", "GTQ: the journal has -400, it must be -500"),
    )


# -- the chain ---------------------------------------------------------------------------------------------------------

ROWS = chained([books.deposit_confirmed(n, 1, 1, n * 100, "GTQ") for n in (1, 2, 3)])


def names(rows: Iterable[JournalRow]) -> list[tuple[str, str]]:
    return [(violation.name, violation.ref) for violation in read_journal(rows).violations]


def test_a_whole_chain_is_read_once_and_can_be_gone_on_from() -> None:
    reading = read_journal(iter(ROWS))
    assert (reading.violations, reading.last_id, reading.last_hash) == ((), 3, ROWS[2].hash)
    assert reading.balances["assets:cash:m1", "GTQ"] == 600
    first = read_journal(ROWS[:1])
    assert read_journal(ROWS[1:], (first.last_id, first.last_hash)).violations == ()
    empty = read_journal([])
    assert (empty.violations, empty.last_id, empty.last_hash) == ((), 0, GENESIS)


@pytest.mark.parametrize(
    "altered",
    [
        replace(ROWS[1], at=T + 1),
        replace(ROWS[1], kind="deposit.lost"),
        replace(ROWS[1], ref="D9"),
        replace(ROWS[1], postings=ROWS[2].postings),
        replace(ROWS[1], hash="0" * 64),
    ],
)
def test_an_altered_entry_shows(altered: JournalRow) -> None:
    assert ("journal_chain", "J2") in names([ROWS[0], altered, ROWS[2]])


def test_a_missing_entry_shows() -> None:
    assert read_journal([ROWS[0], ROWS[2]]).violations == (
        Violation("journal_gap", "J3", "number 2 was to come"),
        Violation("journal_chain", "J3", "its hash does not fit its content and the entry before"),
    )
    assert names(ROWS[1:]) == [("journal_gap", "J2"), ("journal_chain", "J2")]


def test_two_entries_that_changed_places_show() -> None:
    assert ("journal_gap", "J3") in names([ROWS[0], ROWS[2], ROWS[1]])


def test_an_entry_that_sums_to_something_shows_even_with_a_right_hash() -> None:
    postings = (Posting("a", "msat", 5), Posting("b", "msat", -4), Posting("c", "GTQ", 1), Posting("d", "GTQ", -1))
    for wrong in (postings, ()):
        row = JournalRow(1, T, "k", "r", wrong, chain_hash(GENESIS, 1, T, "k", "r", wrong))
        sums = {"msat": 1, "GTQ": 0} if wrong else {}
        assert read_journal([row]).violations == (Violation("journal_balance", "J1", f"k r sums to {sums}"),)


def test_a_wallet_that_paid_itself_lost_the_fee_alone() -> None:
    entry = books.wallet_tried("main", 7)
    assert (entry.kind, entry.ref) == ("wallet.tried", "main")
    must = expected([], [], [], [("main", 7)])
    assert {(p.account, p.commodity): p.amount for p in entry.postings} == dict(must)
    assert must["expenses:trials:main", "msat"] == 7
    twice = expected([], [], [], [("main", 7), ("main", 5)])
    assert (twice["expenses:trials:main", "msat"], twice["assets:wallet:main", "msat"]) == (12, -12)
