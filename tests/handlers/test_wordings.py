"""Everything that the bot can say is said once in a real run, and every answer of it in every language."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC
from functools import partial
from pathlib import Path

from handlers import fixed_mode, holding, missing_reports, past, reconciliation, relay_trouble, replies, wallet_trouble
from handlers.alarms import telling
from handlers.context import Relay
from handlers.fixed_mode import FixedMode
from handlers.payment import Go
from handlers.reconciliation import Difference, Reconciliation
from handlers.relay_trouble import Silence
from ledger.alarms import Alarm, Cause, Change, Tell
from ledger.facts import Violation
from ledger.states import AttemptState, EvidenceClass
from nwc.evidence import Listing
from nwc.keys import npub_of
from storage import accepted_before, forgotten, legs, sequences, wallets
from storage.db import Tx
from tests.handlers.desk import ANA, ATM2, BEN, BOSS, LIVE, Desk, desks
from tests.handlers.guides import Replay, turns
from tests.handlers.reference import GUIDES
from tests.handlers.speaking import Interpreter
from tests.handlers.till import POLICY, Till
from tests.storage.test_witness import fact

DAY = 86_400


async def test_every_wording_is_said_and_holds_in_every_language(
    said_in_every_language: Interpreter, owed: Till, tmp_path: Path
) -> None:
    """The guides hold most of it; the rest is what seldom happens."""
    interpreter = said_in_every_language
    interpreter.heard.clear()
    async with desks(tmp_path) as open_desk:
        for guide in GUIDES:
            replay = Replay(open_desk)
            for turn in turns(guide.read_text(encoding="utf-8")):
                await replay.answer(turn)
    await _seldom(owed)
    assert replies.TEXTS.keys() - interpreter.heard.keys() == set()


async def _seldom(till: Till) -> None:
    desk = till.desk
    await _taken_back(desk)
    await _does_not_arrive(desk)
    await desk.ask(BEN, "prefs.set", notify=True)
    for name in ("ana", "ben"):
        made = await desk.ask(BOSS, "deposit.add", machine="sintra", lp=name, amount="20")
        await desk.ask(BOSS, "deposit.confirm", deposit=made["id"])
    await desk.told(BEN, "prefs set target=other@example.com")
    await _at_fixed_times(desk)
    await till.sent(3, 1)
    await till.release(1)
    assert await till.learn(1, EvidenceClass.CLAIM) is AttemptState.CLAIMED
    await till.answer(await till.sent(2, 2), "RATE_LIMITED")
    await _reaches_its_caps(till)
    await _differs(desk)
    await _begins_anew(till)
    await _is_restored(till)
    await _comes_and_goes(till)
    await _goes_wrong_all_at_once(desk)


async def _goes_wrong_all_at_once(desk: Desk) -> None:
    facts = [
        {"deposit": f"D{n}", "amount": "9", "currency": "GTQ", "lp": "ana", "machine": "a", "at": 0} for n in range(5)
    ]
    many = [Alarm(n, Cause.DEPOSIT_PENDING, f"D{n}", each, "", desk.now, desk.now) for n, each in enumerate(facts)]
    await desk.tx(lambda tx: telling.tell(tx, [Change(each, Tell.NEW) for each in many], {BOSS}, desk.now))
    broken = Change(Alarm(9, Cause.BOX_FULL, "machine:1", {}, "", desk.now, desk.now), Tell.NEW)
    await desk.tx(lambda tx: telling.tell(tx, [broken], {BOSS}, desk.now))


async def _comes_and_goes(till: Till) -> None:
    """A wallet offers less than it takes, offers it again, and is taken out of the configuration."""

    def work(tx: Tx) -> None:
        wallets.resume(tx, "main")
        wallet_trouble.offer_seen(tx, "main", ["lookup_invoice"], {BOSS}, till.now)
        wallet_trouble.offer_seen(tx, "main", [], {BOSS}, till.now)
        wallet_trouble.connections_seen(tx, ["second"], {BOSS}, till.now)

    till.desk.now += 3_600  # told of no trouble of this wallet for an hour
    await till.desk.tx(work)


async def _reaches_its_caps(till: Till) -> None:
    await till.desk.tx(lambda tx: wallets.resume(tx, "main"))
    for cap in ("day", "hour", "in_flight"):  # P3 is under way with 75,000 sats
        till.policy = replace(POLICY, **{f"max_{cap}_sats": 80_000})  # type: ignore[arg-type]
        assert await till.open(4) is Go.LATER
    till.policy = POLICY
    await till.desk.tx(lambda tx: holding.unchecked(tx, {BOSS}, till.now))


async def _begins_anew(till: Till) -> None:
    """The books have accepted nothing, and paid nothing; receipts and the wallet's list show that a bot has."""
    found = await till.settlement(await till.desk.cash_out(8, platform_fee_sats=3_000))
    await till.desk.distribute()
    [leg, *_] = await till.desk.tx(lambda tx: legs.of_settlement(tx, found.id))
    strange = replace(fact(78), wallet=leg.wallet, amount_msat=leg.due_msat)

    def work(tx: Tx) -> None:
        accepted_before.add(tx, [found.payment_hash])
        forgotten.put(tx, strange, known_purpose=False, settled=True, now=till.now)

    await till.desk.tx(work)
    assert await till.open(leg.id) is Go.LATER
    await till.desk.tx(lambda tx: forgotten.drop(tx, strange.payment_hash))
    assert await till.open(leg.id) is Go.DONE


async def _is_restored(till: Till) -> None:
    """Its witness tells of all that was sent: it goes on by itself once it is known what for."""
    strange = replace(fact(77), created_at=till.now)
    found = await till.settlement(1)
    planned_otherwise = replace(fact(79), settlement=found.payment_hash, created_at=till.now)

    def work(tx: Tx) -> None:
        witness = till.desk.db.witness
        witness.write([strange, planned_otherwise], None)
        past.begin(tx, witness, {BOSS}, till.now)
        past.pay_unseen(tx, "main", {BOSS}, till.now)
        assert not past.finish(tx, ["main"], {BOSS}, till.now + past.PATIENCE_SECONDS)
        nothing = Listing((), True)
        past.note_lists(tx, "main", nothing, nothing, counts=True, now=till.now)
        assert not past.finish(tx, ["main"], {BOSS}, till.now)
        forgotten.drop(tx, strange.payment_hash)
        assert past.finish(tx, ["main"], {BOSS}, till.now)

    await till.desk.tx(work)


async def _differs(desk: Desk) -> None:
    """Books and wallet, in one point and in many."""
    for count in (1, 9):
        found = [Difference(Violation("not_in_wallet", f"P{number}", "not there"), "main") for number in range(count)]
        differing = Reconciliation(found, 0, {}, ())
        await desk.tx(partial(reconciliation.tell, found=differing, operators={BOSS}, now=desk.now))


async def _does_not_arrive(desk: Desk) -> None:
    """By a relay, by all of them for a while, and from a machine."""
    now = desk.now

    def tell(tx: Tx) -> None:
        relay_trouble.note_delivery(tx, withholding=["wss://mute.example"], delivering=[], operators={BOSS}, now=now)
        relay_trouble.note_silence(tx, Silence(now - 700, now), {BOSS}, now)
        for number, seq in enumerate((1, 5), 1):
            sequences.came(tx, 1, seq, number, now, fresh=True, now=now - missing_reports.GAP_SECONDS)
        missing_reports.tell(tx, {BOSS}, now)

    await desk.tx(tell)
    desk.live = replace(LIVE, relays=(Relay("wss://mute.example", True, True),))
    for order in ("status", "machine show sintra"):
        assert "never came: " in await desk.told(BOSS, order)


async def _taken_back(desk: Desk) -> None:
    """A machine and an LP that were never used."""
    await desk.ask(BOSS, "machine.add", npub=npub_of(ATM2), name="coban", wallet="second", fiat="GTQ")
    await desk.ask(BOSS, "lp.add", machine="coban", npub="ben")
    await desk.ask(BOSS, "lp.remove", machine="coban", lp="ben")
    await desk.ask(BOSS, "machine.remove", machine="coban")


async def _at_fixed_times(desk: Desk) -> None:
    """By order while a rate is known, by schedule when none is known any more; then there are no times any more."""
    policy = FixedMode(("09:00", "21:00"), UTC, DAY, 1_000_000)
    desk.with_settings(fixed_mode=policy)
    await desk.ask(ANA, "prefs.set", mode="fixed", daily_limit="10")
    preview = await desk.told(BOSS, "fixed run sintra")
    await desk.told(BOSS, preview.splitlines()[-1].partition(": ")[2])
    for _ in range(2):  # the first look only begins the schedule
        next_at = fixed_mode.next_slot(policy, desk.now)
        assert next_at is not None
        desk.now = next_at + DAY
        await desk.tx(
            lambda tx: fixed_mode.run_scheduled(
                tx, policy, configured=desk.settings.wallets, operators={BOSS}, now=desk.now
            )
        )
    await desk.tx(lambda tx: fixed_mode.end(tx, {BOSS}, desk.now))
