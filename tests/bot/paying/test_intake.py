"""What a machine reports becomes a settlement, once, and only what the wallet shows is owed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bot.nostr import Keys, make_direct
from nwc.event import Event
from storage import machines
from tests.bot.paying.running import Running, Start, finished, running
from tests.bot.paying.talking import Said
from tests.crash.atm import STORED_KIND, report
from tests.crash.shop import Sale, sell, until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_stored_settlement_and_its_stored_receipt(start: Start) -> None:
    """Kind 78 is taken as the live one is; both are one settlement."""
    async with start() as bot:
        sale = await sell(bot.world, bot.shop)
        await bot.atms.send(bot.shop, report(sale, bot.clock.now()), kind=STORED_KIND)
        await bot.receipt(sale, "accepted")
        await bot.atms.send(bot.shop, report(sale, bot.clock.now()))
        again = await bot.receipt(sale, "duplicate")
        assert again["settlement"] == "S1"
        await finished(bot, [sale])
        stored = await bot.seen(
            "SELECT event FROM outbox WHERE kind = 'replaceable' AND state = 'done' AND event IS NOT NULL"
            " AND coordinate LIKE ? AND json_extract(body, '$.content') LIKE '%accepted%'",
            f"%bitspire-receipt:{sale.payment_hash}%",
        )
        event = Event.from_dict(json.loads(stored[0]["event"]))
        content = json.loads(bot.shop.atm.cipher().nip44_decrypt(bot.shop.bot.public_key, event.content))
        assert (event.kind, event.tag("expiration") is not None, content["status"]) == (30_078, True, "accepted")


async def test_the_same_event_again(start: Start) -> None:
    """Copies are one event; the same bytes a while later want the receipt once more. Nothing happens twice."""
    async with start() as bot:
        sale = await sell(bot.world, bot.shop)
        event = await bot.atms.send(bot.shop, report(sale, bot.clock.now()))
        for _ in range(3):
            await bot.atms.link.publish(event)
        await bot.receipt(sale, "accepted")
        # `unverified` comes first where the bot has only just met the wallet.
        told = [r["status"] for r in bot.atms.receipts(sale.payment_hash) if r["status"] != "unverified"]
        assert told == ["accepted"]

        async def answered_again() -> bool:
            await bot.atms.link.publish(event)
            return any(r["status"] == "duplicate" for r in bot.atms.receipts(sale.payment_hash))

        await until(answered_again, "the receipt comes again")
        await finished(bot, [sale])
        assert len(bot.rows("SELECT 1 FROM settlements")) == 1


async def test_the_same_hash_with_other_amounts(start: Start) -> None:
    async with start() as bot:
        sale = await bot.sell()
        other = Sale(200_000, sale.payment_hash)
        await bot.atms.send(bot.shop, report(other, bot.clock.now()))
        refused = await bot.receipt(sale, "rejected")
        assert (refused["reason"], refused["settlement"]) == ("amount_conflict", "S1")
        await bot.atms.send(bot.shop, report(sale, bot.clock.now()))
        await bot.receipt(sale, "duplicate")
        await finished(bot, [sale])
        assert bot.rows("SELECT wire_sats FROM settlements") == [{"wire_sats": sale.wire_sats}]
        assert bot.rows("SELECT 1 FROM settlement_notes")


async def test_unpaid_then_paid(start: Start) -> None:
    """A report that comes before its payment is `unverified`, owes nothing, and is accepted when the sats are there."""
    async with start() as bot:
        plan = Sale(100_000)
        invoice = await bot.world.call("invoice", account=bot.shop.wallet, amount_msat=plan.wire_sats * 1000)
        sale = Sale(100_000, invoice["payment_hash"])
        await bot.atms.send(bot.shop, report(sale, bot.clock.now()))
        early = await bot.receipt(sale, "unverified")
        assert early["reason"] == "not_paid"
        await bot.pass_time(10, step=5)
        assert not bot.rows("SELECT 1 FROM legs")
        await bot.world.call("account", name="late", balance_msat=plan.wire_sats * 1000)
        await bot.world.call("fund", account="late", amount_msat=1_000_000)
        await bot.world.call("pay", payer="late", bolt11=invoice["bolt11"])
        await bot.receipt(sale, "accepted")
        await finished(bot, [sale])


async def test_a_cash_in(start: Start) -> None:
    """The wallet pays the customer; only the fees are owed, from what the wallet has besides."""
    async with start() as bot:
        await bot.world.call("fund", account=bot.shop.wallet, amount_msat=100_000_000)
        wire = 92_000
        paid = await bot.world.call("customer_is_paid", account=bot.shop.wallet, amount_msat=wire * 1000)
        sale = Sale(100_000, paid["payment_hash"])
        await bot.atms.send(bot.shop, report(sale, bot.clock.now(), tx_type="cash_in", wire_sats=wire))
        await bot.receipt(sale, "accepted")
        await bot.settled()
        balances = await bot.world.call("balances")
        assert [balances[payee] for payee in bot.shop.payees] == [0, 3_000_000, 5_000_000]
        assert balances[bot.shop.wallet] == 0
        legs = bot.rows("SELECT type, status, amount_sats FROM legs ORDER BY id")
        assert [tuple(leg.values()) for leg in legs] == [
            ("super_fee", "completed", 3_000),
            ("operator_split", "completed", 5_000),
        ]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "wire is not the sum": ({"wire_sats": 108_001}, "bad_arithmetic"),
    "negative fee": ({"fee_sats": -1, "wire_sats": 99_999}, "bad_arithmetic"),
    "no principal": ({"principal_sats": 0, "wire_sats": 8_000}, "bad_arithmetic"),
    "rate zero": ({"exchange_rate": "0"}, "bad_arithmetic"),
    "rate negative": ({"exchange_rate": "-50"}, "bad_arithmetic"),
    "rate far off": ({"exchange_rate": "60"}, "bad_arithmetic"),
    "fiat far off": ({"fiat_amount": "1000.00"}, "bad_arithmetic"),
    "currency": ({"currency": "USD"}, "currency_mismatch"),
    "currency unknown": ({"currency": "XQX"}, "currency_mismatch"),
    "sats true": ({"wire_sats": True}, "bad_payload"),
    "sats text": ({"wire_sats": "108000"}, "bad_payload"),
    "sats fraction": ({"wire_sats": 108000.0}, "bad_payload"),
    "sats 2**63": ({"wire_sats": 2**63}, "bad_arithmetic"),
    "sats 2**63 - 1": ({"wire_sats": 2**63 - 1}, "bad_arithmetic"),
    "sats missing": ({"wire_sats": None}, "bad_payload"),
    "rate missing": ({"exchange_rate": None}, "bad_payload"),
    "another version": ({"v": 2}, "bad_payload"),
    "another type": ({"type": "receipt"}, "bad_payload"),
    "another direction": ({"tx_type": "cash_sideways"}, "bad_payload"),
}


async def test_reports_that_are_wrong(start: Start) -> None:
    """Each is refused with its code; the right report of the same payment is still taken where none was stored."""
    async with start() as bot:
        for name, (changes, code) in WRONG.items():
            sale = await sell(bot.world, bot.shop)
            await bot.atms.send(bot.shop, json.dumps(report(sale, bot.clock.now(), **changes)))
            refused = await bot.receipt(sale, "rejected")
            assert refused["reason"] == code, f"{name}: {refused}"
        assert not bot.rows("SELECT 1 FROM legs")
        assert not bot.rows("SELECT 1 FROM settlements WHERE status <> 'rejected'")
        await bot.sell()


def _malformed(sale: Sale, now: int) -> list[str]:
    """Texts that are no settlement at all, with the hash of a real payment in them where that is possible."""
    good = json.dumps(report(sale, now))
    wire = f'"wire_sats": {sale.wire_sats}'
    return [
        "",
        "null",
        "[]",
        "7",
        "{",
        '"' + "x" * 1_000 + '"',
        good.replace(wire, '"wire_sats": 1e400'),
        good.replace(wire, '"wire_sats": NaN'),
        good.replace(wire, '"wire_sats": -Infinity'),
        good.replace(wire, f'{wire}, "wire_sats": 1'),
        good.replace('"GTQ"', '"\\ud800"'),
        good.replace(wire, '"wire_sats": ' + "[" * 20_000 + "]" * 20_000),
        good.replace(wire, '"wire_sats": ' + "9" * 40_000),
        good.replace(sale.payment_hash, "ab" * 31),
        good.replace(sale.payment_hash, "zz" * 32),
    ]


async def test_what_is_no_settlement(start: Start) -> None:
    """Nothing of it stops the bot or is stored; the payment itself is still taken afterwards."""
    async with start() as bot:
        sale = await sell(bot.world, bot.shop)
        for text in _malformed(sale, bot.clock.now()):
            if text:
                await bot.atms.send(bot.shop, text)
        cipher = bot.shop.atm.cipher()
        for content in ("not encrypted", "", cipher.nip44_encrypt(Keys.generate().public_key, "for somebody else")):
            await bot.atms.link.publish(cipher.sign(21_000, [["p", bot.shop.bot.public_key]], content, bot.clock.now()))
        await bot.atms.send(bot.shop, report(sale, bot.clock.now()))
        await bot.receipt(sale, "accepted")
        await finished(bot, [sale])
        assert len(bot.rows("SELECT 1 FROM settlements")) == 1


async def test_strangers(start: Start) -> None:
    """A key that is no machine here gets no receipt and leaves no trace but a count."""
    async with start() as bot:
        sale = await sell(bot.world, bot.shop)
        stranger = Keys.generate()
        await bot.atms.send(bot.shop, report(sale, bot.clock.now()), atm=stranger)
        await bot.atms.send(bot.shop, report(sale, bot.clock.now()))
        await bot.receipt(sale, "accepted")
        assert len(bot.rows("SELECT 1 FROM settlements")) == 1
        assert not bot.rows("SELECT 1 FROM inbox WHERE pubkey = ?", stranger.public_key)
        part = bot.daemon._parts
        assert part is not None
        assert stranger.public_key in part.intake.strangers


async def test_forged_then_genuine(start: Start) -> None:
    """An event with the right id and another signature must not hide the genuine one."""
    async with start() as bot:
        sale = await sell(bot.world, bot.shop)
        event = bot.atms.event(bot.shop, report(sale, bot.clock.now()))
        forged = Event.from_dict({**event.to_dict(), "sig": "00" * 64})
        await bot.atms.link.publish(forged)
        await bot.atms.link.publish(event)
        await bot.receipt(sale, "accepted")
        await finished(bot, [sale])


async def test_a_deactivated_machine(start: Start) -> None:
    async with start() as bot:
        assert bot.daemon.db is not None
        await bot.daemon.db.write(lambda tx: machines.update(tx, bot.shop.machine_id, {"active": 0}))
        sale = await sell(bot.world, bot.shop)
        await bot.atms.send(bot.shop, report(sale, bot.clock.now()))
        refused = await bot.receipt(sale, "rejected")
        assert refused["reason"] == "unknown_machine"
        assert bot.rows("SELECT status FROM settlements") == [{"status": "rejected"}]


@pytest.mark.parametrize(
    ("paid_sats", "direction", "reason"),
    [(107_999, "incoming", "amount_conflict"), (108_000, "outgoing", "not_paid")],
)
async def test_another_payment_than_reported(start: Start, paid_sats: int, direction: str, reason: str) -> None:
    """The wallet has another amount, or paid what the machine says came in."""
    async with start() as bot:
        verb = "customer_pays" if direction == "incoming" else "customer_is_paid"
        await bot.world.call("fund", account=bot.shop.wallet, amount_msat=200_000_000)
        paid = await bot.world.call(verb, account=bot.shop.wallet, amount_msat=paid_sats * 1000)
        sale = Sale(100_000, paid["payment_hash"])
        await bot.atms.send(bot.shop, report(sale, bot.clock.now()))
        refused = await bot.receipt(sale, "rejected")
        assert refused["reason"] == reason
        assert not bot.rows("SELECT 1 FROM legs")


async def test_the_sender_in_the_wallets_record(start: Start) -> None:
    """The invoice was made for another machine: refused. For this one: accepted."""
    async with start() as bot:
        for sender, status in ((Keys.generate().public_key, "rejected"), (bot.shop.atm.public_key, "accepted")):
            sale = await sell(bot.world, bot.shop, nostr_sender_pubkey=sender)
            await bot.atms.send(bot.shop, report(sale, bot.clock.now()))
            answer = await bot.receipt(sale, status)
            assert answer["reason"] == ("unknown_machine" if status == "rejected" else None)


async def test_what_was_said_while_nobody_listened_is_done_in_the_order_it_was_said(start: Start) -> None:
    """The relay gives the newest first, and gift wraps in no order at all: an LP that was paused and made active again
    twice was left paused, and deposits were confirmed before they were there."""
    async with start() as bot:
        pass
    shop, now = bot.shop, bot.clock.now()
    (at,) = bot.rows(
        "SELECT m.name AS machine, l.name AS lp FROM enrolments e JOIN machines m ON m.id = e.machine_id"
        " JOIN lps l ON l.id = e.lp_id"
    )
    orders = [f"lp set {at['machine']} {at['lp']} status={status}" for status in ("paused", "active") * 3]
    said = [Said(shop.operator, order, now - 60 + place) for place, order in enumerate(orders)]
    signed = make_direct(shop.operator, shop.bot.public_key, orders[0], None, now - 40)
    last = make_direct(shop.operator, shop.bot.public_key, orders[1], None, now - 39)
    for event in (last, signed):
        await bot.atms.link.publish(event)
    for message in reversed(said):
        await message.send(bot)
    async with bot.again() as again:
        await again.seen("SELECT 1 FROM audit WHERE command = 'lp set' GROUP BY command HAVING count(*) = 8")
        done = again.rows(
            "SELECT json_extract(after, '$.status') AS status FROM audit WHERE command = 'lp set' ORDER BY id"
        )
        assert [row["status"] for row in done] == ["paused", "active"] * 4


async def test_a_payment_in_another_machines_wallet(start: Start) -> None:
    """The payment lies in the wallet of machine two: machine one can't claim it, machine two can."""
    async with start() as bot:
        pass
    shop = bot.shop
    other = await bot.world.call("wallet", account=f"{shop.name}.atm2")
    (shop.directory / "two.nwc").write_text(other["uri"])
    (shop.directory / "two.nwc").chmod(0o600)
    with shop.config_path.open("a") as config:
        config.write('\n[wallets.two]\nuri = "file:two.nwc"\n')
    second = Keys.generate()
    async with running(bot.world, shop, bot.atms, bot.clock) as both:
        assert both.daemon.db is not None
        await both.daemon.db.write(lambda tx: _second_machine(tx, second, both))
        await until(lambda: _known(both, second), "the new machine is known")
        sale = Sale(100_000)
        paid = await bot.world.call("customer_pays", account=f"{shop.name}.atm2", amount_msat=sale.wire_sats * 1000)
        sale = Sale(100_000, paid["payment_hash"])
        await both.atms.send(shop, report(sale, both.clock.now()))
        refused = await both.receipt(sale, "rejected")
        assert refused["reason"] == "unknown_machine"
        await both.atms.send(shop, report(sale, both.clock.now()), atm=second)
        await both.seen("SELECT 1 FROM settlements WHERE machine_id = 2 AND status = 'processed'")
        assert both.rows("SELECT DISTINCT wallet FROM attempts") == [{"wallet": "two"}]


def _second_machine(tx: Any, keys: Keys, bot: Running) -> None:
    first = machines.get(tx, bot.shop.machine_id)
    assert first is not None
    machines.insert(
        tx,
        pubkey=keys.public_key,
        name="ericeira",
        wallet="two",
        fiat="GTQ",
        location=None,
        fees=first.operator_fees,
        now=bot.clock.now(),
    )


async def _known(bot: Running, keys: Keys) -> bool:
    part = bot.daemon._parts
    return part is not None and keys.public_key in part.intake._known.machines
