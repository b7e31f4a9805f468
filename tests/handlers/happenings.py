"""What can happen between two messages of a guide: `<!-- happens: sent P4 -->` calls `Happenings.sent("P4")`.

Every step is taken by the real handlers over real books: what is paid was requested and proven, what is reported came
in an envelope. A minute passes with each.
"""

from __future__ import annotations

import hashlib
import inspect
import itertools
import re
from dataclasses import replace
from datetime import UTC
from typing import Any, Final, Literal

from bot.wallet_tests import silent as silent_wallet
from handlers import missing_reports, past, payment, payment_evidence, proof, wallet_trouble
from handlers.fixed_mode import FixedMode
from handlers.payment import Go
from handlers.payment_evidence import Policy
from handlers.proof import WalletWord
from handlers.reconciliation import WalletList
from handlers.settlement import Received
from ledger.errors import said
from ledger.money import MSAT
from ledger.states import AttemptState, EvidenceClass, SettlementStatus
from nwc.evidence import Evidence, Listing, Source, classify_answer
from nwc.keys import npub_of
from nwc.messages import ErrorAnswer, Transaction
from nwc.proof_of_payment import classify_payment
from nwc.requests import SignedRequest
from storage import attempts, machines, settlements
from storage.db import Tx
from storage.witness import Witness
from tests.handlers.alarms.looking import look
from tests.handlers.atm import Atm
from tests.handlers.desk import ANA, ATM, ATM2, BEN, BOSS, EVE, LIVE, SUPER, WELL, Desk, key
from tests.handlers.till import Till, report
from tests.ledger.build import hash_of
from tests.ledger.build import preimage as right_preimage

Direction = Literal["incoming", "outgoing"]
HEIR: Final = key("heir")
PEOPLE: Final = {
    "operator": BOSS,
    "platform": SUPER,
    "ana": ANA,
    "ben": BEN,
    "somebody": EVE,
    "zoe": EVE,
    "successor": HEIR,
    "thief": BOSS,
}
"""Who speaks in the guides."""
DEMO_LPS: Final = {"ana": 3_400, "beto": 2_800, "carla": 2_300, "diego": 1_700, "elena": 1_200}
_SATS_PER_UNIT: Final = 50
_FEE_PERCENT: Final = 8
"""What the machine charges: 3 % of the platform and 5 % of the operator."""


class Happenings:
    """Over one desk. Numbers of attempts are given out in order, so that a run is as the one before."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.till = desk, Till(desk)
        self._numbers = itertools.count(1)
        self._attempts: dict[int, int] = {}
        self._requests: dict[int, SignedRequest] = {}
        self._payments = itertools.count(1)
        self._newest: tuple[dict[str, Any], str] | None = None
        """What was reported last, and by which machine's key."""
        self._unexplained: str | None = None
        self._atm = Atm(desk)

    async def happen(self, line: str) -> None:
        """Raises ValueError for what nobody knows how to make happen."""
        name, *words = line.split()
        method = getattr(self, name, None) if not name.startswith("_") and name != "happen" else None
        if not inspect.iscoroutinefunction(method):
            raise ValueError(f"nobody knows how to make {name!r} happen")
        self.desk.now += 60
        await method(*words)

    # --- a business --------------------------------------------------------------------------------------------------

    async def business(self) -> None:
        """The machine sintra, 5 % for the operator's one partner, 3 % for the platform."""
        await self.desk.with_machine()
        await self.platform_fee()
        await self.desk.ask(BOSS, "splits.set", legs='100% me@example.com "Me"', confirm=True)

    async def platform_fee(self) -> None:
        await self.desk.ask(SUPER, "platform.set", cash_out_fee="3%", target="fees@example.com")

    async def lps(self) -> None:
        """Ana with 1,500 GTQ and ben with 500 GTQ."""
        await self.desk.with_lp(ANA, "ana", deposited="1500")
        await self.desk.with_lp(BEN, "ben", deposited="500")

    async def demo(self) -> None:
        """The business of `make demo`, before its visitor comes."""
        self.desk.with_settings(allow_private_targets=True)
        await self.desk.with_machine()
        target = "platform@127.0.0.1:41234"
        await self.desk.ask(SUPER, "platform.set", cash_in_fee="3%", cash_out_fee="3%", target=target)
        shares = '60% sofia@127.0.0.1:41234 "sofia" + 40% mateo@127.0.0.1:41234 "mateo"'
        await self.desk.ask(BOSS, "splits.set", legs=shares, confirm=True)
        for name, amount in DEMO_LPS.items():
            await self.desk.with_lp(key(name), name, deposited=str(amount))

    async def enrol(self, name: str) -> None:
        await self.desk.told(BOSS, f"lp add sintra {npub_of(PEOPLE[name])} {name}")

    async def deposit(self, name: str, amount: str) -> None:
        await self.desk.told(BOSS, f"deposit sintra {name} {amount}")

    async def confirm(self, deposit: str) -> None:
        await self.desk.told(BOSS, f"deposit confirm {deposit}")

    async def operators(self, *names: str) -> None:
        """The sysadmin has put these, and nobody else, into `[roles] operators`, and the bot has read it."""
        self.desk.with_settings(operators=frozenset(PEOPLE[name] for name in names))

    async def fixed_times(self, *times: str) -> None:
        """The sysadmin has set these times, in UTC, for LPs in fixed mode, and the bot has read it."""
        mode = FixedMode(times, UTC, 3_600, 1_000_000)
        self.desk.with_settings(fixed_mode=mode)

    async def stolen_key(self, *order: str) -> None:
        """Somebody who has the operator's key gives an order, and confirms it."""
        said = await self.desk.told(BOSS, " ".join(order))
        if code := re.search(r"confirm ([A-Z2-9]{6})", said):
            await self.desk.told(BOSS, f"confirm {code[1]}")

    # --- what machines tell of themselves ----------------------------------------------------------------------------

    async def cassettes(self, *bays: str) -> None:
        """Sintra reports its bays: `1=20x180` for 180 notes of 20 in the first one."""
        held = (re.fullmatch(r"(\d+)=(\d+)x(\d+)", each) for each in bays)
        await self._atm.state({int(each[1]): (int(each[2]), int(each[3])) for each in held if each is not None})

    async def beacon(self, level: str = "ok") -> None:
        said = {"model": "Sintra 3", "version": "1.2.0", "cash_in": True, "cash_out": True, "cash_level": level}
        await self._atm.beacon({**said, "fees": {"cash_in": "0.05", "cash_out": "0.09"}})
        await self._atm.telemetry({"uptime": 86_400})

    async def quiet(self, minutes: str) -> None:
        """Sintra says nothing for so long, and the watchman looks."""
        await self.desk.tx(lambda tx: machines.seen(tx, 1, self.desk.now))
        self.desk.now += int(minutes) * 60
        await look(self.desk)

    async def still(self, minutes: str) -> None:
        """So much time passes, and the watchman looks."""
        self.desk.now += int(minutes) * 60
        await look(self.desk)

    async def heard(self) -> None:
        """Sintra says something, and the watchman looks."""
        await self.desk.tx(lambda tx: machines.seen(tx, 1, self.desk.now))
        await look(self.desk)

    # --- time --------------------------------------------------------------------------------------------------------

    async def minutes(self, number: str) -> None:
        self.desk.now += int(number) * 60

    async def hours(self, number: str) -> None:
        self.desk.now += int(number) * 3_600

    # --- the machine -------------------------------------------------------------------------------------------------

    async def cash_out(self, machine: str = "sintra", fiat: str = "2000") -> None:
        """A customer takes so much; it is reported, proven and shared out."""
        await self.reported(machine, fiat)
        await self.proven()

    async def reported(self, machine: str = "sintra", fiat: str = "2000", seq: int | None = None) -> None:
        """The report of a cash-out comes; the wallet was not asked yet."""
        principal = int(fiat) * _SATS_PER_UNIT
        fee = principal * _FEE_PERCENT // 100
        payment_hash = hashlib.sha256(f"customer {next(self._payments)}".encode()).hexdigest()
        said = report(
            payment_hash,
            principal_sats=principal,
            fee_sats=fee,
            wire_sats=principal + fee,
            fiat_amount=f"{fiat}.00",
            created_at=self.desk.now,
            seq=seq,
        )
        self._newest = said, await self._key_of(machine)
        assert await self._receive() is Received.NEW

    async def report_lost(self) -> None:
        """The machine's first and fourth report come; ten minutes later the bot tells of those between."""
        for seq in (1, 4):
            self.desk.now += 1
            await self.reported(seq=seq)
            await self.proven()
        await self.minutes("10")
        operators = self.desk.settings.operators_to_tell
        await self.desk.tx(lambda tx: missing_reports.tell(tx, operators, self.desk.now))

    async def reported_again(self) -> None:
        assert await self._receive() is Received.DUPLICATE

    async def reported_differently(self) -> None:
        """The same payment with other amounts."""
        assert await self._receive(fiat_amount="1000.00", exchange_rate="100") is Received.CONFLICT

    async def reported_after_all(self) -> None:
        """The report of the payment that was entered by hand."""
        assert self._unexplained is not None
        self._newest = report(self._unexplained, created_at=self.desk.now), await self._key_of("sintra")
        assert await self._receive() is Received.DUPLICATE

    async def proven(self) -> None:
        """The wallet shows the payment: it is shared out."""
        assert await self.till.prove(await self._settlement()) is SettlementStatus.PENDING
        await self.shared_out()

    async def not_proven(self) -> None:
        """The wallet has the invoice, and nobody has paid it."""
        assert await self._asked(state="pending", settled_at=None) is SettlementStatus.UNVERIFIED

    async def proven_otherwise(self, sats: str) -> None:
        """The wallet shows another amount."""
        assert await self._asked(amount_msat=int(sats) * MSAT) is SettlementStatus.REJECTED

    async def entered_and_proven(self) -> None:
        """The wallet shows the payment of the settlement that was entered by hand."""
        newest = await self.desk.count("SELECT max(id) FROM settlements")
        assert await self.till.prove(newest) is SettlementStatus.PENDING
        await self.shared_out()

    async def shared_out(self) -> None:
        await self.desk.distribute()

    # --- paying ------------------------------------------------------------------------------------------------------

    async def paid(self, *payments: str) -> None:
        for name in payments:
            if (leg := int(name[1:])) not in self._attempts:
                await self.sent(name)
            await self.till.learn(self._attempts.pop(leg))

    async def unpaid(self, name: str, *why: str) -> None:
        """The payee could not be asked for an invoice, as often as is tried."""
        await self.desk.fail_leg(int(name[1:]), " ".join(why))

    async def no_invoice(self, name: str, *why: str) -> None:
        """The payee could not be asked for an invoice this time."""
        policy, now = self.till.policy, self.desk.now
        await self.desk.tx(lambda tx: payment.not_fetched(tx, int(name[1:]), " ".join(why), policy, now))

    async def dear(self, name: str, sats: str) -> None:
        """It is paid, and the wallet says that the way there cost so much."""
        await self.sent(name)
        await self.till.learn(self._attempts.pop(int(name[1:])), fees_msat=int(sats) * MSAT)

    async def damaged(self, name: str) -> None:
        """Somebody wrote another preimage into the books; the next payment is about to be made."""
        await self._write_preimage(name, "00" * 32)
        settlement_id = (await self.till.leg(int(name[1:]))).settlement_id
        waiting = await self.desk.count(
            "SELECT min(id) FROM legs WHERE settlement_id = ? AND status = 'pending'", settlement_id
        )
        assert await self.till.open(waiting) is Go.LATER

    async def mended(self, name: str) -> None:
        """The preimage is the right one again."""
        await self._write_preimage(name, None)

    async def _write_preimage(self, name: str, preimage: str | None) -> None:
        paid = await self.desk.tx(lambda tx: attempts.of_leg(tx, int(name[1:]))[-1])
        number = next(number for number in itertools.count(1) if hash_of(number) == paid.payment_hash)
        values = (preimage or right_preimage(number), paid.payment_hash)
        await self.desk.tx(lambda tx: tx.run("UPDATE attempts SET preimage = ? WHERE payment_hash = ?", values))

    async def sent(self, *payments: str) -> None:
        """The request is on its way to the wallet, and nothing has been heard yet."""
        for name in payments:
            leg, number = int(name[1:]), next(self._numbers)
            self._requests[leg] = await self.till.sent(leg, number)
            self._attempts[leg] = number

    async def answered(self, name: str, code: str, *words: str) -> None:
        """The wallet answers the request with this error."""
        request, answer = self._requests[int(name[1:])], ErrorAnswer(code, " ".join(words))

        def work(tx: Tx) -> None:
            now, policy = self.desk.now, self.till.policy
            payment_hash, first = payment.answered(tx, request.id, now, ask_soon=True, policy=policy)
            assert payment_hash is not None
            found = classify_answer(payment_hash, answer)
            payment.learn(
                tx, payment_hash, found, source="pay", asked_at=now, policy=policy, now=now, extra={"code": code}
            )
            if first:
                wallet_trouble.heed(tx, "main", request.id, payment_hash, answer, self.desk.settings.operators, now)

        await self.desk.tx(work)

    async def looked_up(self, name: str, found: str, *words: str) -> None:
        """The wallet, asked about a payment, says this: a class of evidence."""
        payment_hash = hash_of(self._attempts[int(name[1:])])
        evidence = Evidence(EvidenceClass(found), Source.LOOKUP, None, " ".join(words))

        def work(tx: Tx) -> None:
            now, policy = self.desk.now, self.till.policy
            payment.learn(tx, payment_hash, evidence, source="lookup", asked_at=now, policy=policy, now=now)
            payment.checked(tx, payment_hash, policy, now)

        await self.desk.tx(work)

    async def released(self, name: str) -> None:
        """All that makes it certain that the attempt is never paid has come in."""
        await self.till.release(self._attempts.pop(int(name[1:])))

    async def paid_after_release(self, name: str) -> None:
        """The first attempt at this payment arrives after all."""
        leg_id = int(name[1:])
        first = await self.desk.tx(lambda tx: attempts.of_leg(tx, leg_id)[0])
        number = next(number for number in itertools.count(1) if hash_of(number) == first.payment_hash)
        assert await self.till.learn(number) is AttemptState.SETTLED

    async def silent(self) -> None:
        """The wallet main is not reached any more."""
        self.desk.live = replace(self.desk.live, wallets_up=frozenset())
        self.desk.wallet_test = silent_wallet("main", said("none of its relays is connected"))

    async def heard_again(self) -> None:
        self.desk.live, self.desk.wallet_test = LIVE, WELL

    async def holds(self, sats: str) -> None:
        """The wallet tells its balance."""
        await self.till.balance(int(sats))

    async def unexplained(self, direction: str, sats: str) -> None:
        """The wallet's list shows a payment that no report and no order explains."""
        self._unexplained = hashlib.sha256(f"customer {next(self._payments)}".encode()).hexdigest()
        row = self._row(self._unexplained, "incoming" if direction == "in" else "outgoing", int(sats) * MSAT)
        policy = Policy(self.till.policy, self.desk.settings.unmatched_after_seconds)
        await self.desk.tx(
            lambda tx: payment_evidence.note_list(
                tx, "main", Listing((row,), True), starts_at=0, asked_at=self.desk.now, policy=policy, now=self.desk.now
            )
        )

    async def restored(self, leg: str) -> None:
        """The database is a copy from before, and its witness is gone. The wallet shows a payment that was made since,
        and one of somebody else's."""
        due = (await self.till.leg(int(leg[1:]))).due_msat
        sent = (self._row(hash_of(700), "outgoing", due), self._row(hash_of(701), "outgoing", 7_000_000))
        listed = Listing(sent, True)
        nowhere = Witness(self.desk.db.path.with_name("gone"))

        def work(tx: Tx) -> None:
            past.begin(tx, nowhere, {BOSS}, self.desk.now)
            past.note_lists(tx, "main", listed, listed, counts=True, now=self.desk.now)
            past.finish(tx, ["main"], {BOSS}, self.desk.now)

        await self.desk.tx(work)

    async def next_machine(self) -> str:
        """The key of the next machine to be registered."""
        known = await self.desk.tx(lambda tx: [machines.by_pubkey(tx, atm) is not None for atm in (ATM, ATM2)])
        return (ATM, ATM2)[sum(known)]

    async def lists_all(self, *but: str) -> None:
        """From now on the wallet lists what was proven and paid, but for these payments (`P3`)."""
        left_out = tuple(int(name[1:]) for name in but)

        def read(tx: Tx) -> list[Transaction]:
            paid = tx.all("SELECT payment_hash, amount_msat, leg_id FROM attempts WHERE state = 'settled'")
            came = tx.all("SELECT payment_hash, wire_sats FROM settlements WHERE proof = 'settled'")
            return [
                *(
                    self._row(row["payment_hash"], "outgoing", row["amount_msat"])
                    for row in paid
                    if row["leg_id"] not in left_out
                ),
                *(self._row(row["payment_hash"], "incoming", row["wire_sats"] * MSAT) for row in came),
            ]

        listed = WalletList("main", 0, self.desk.now, complete=True)
        listed.take(await self.desk.tx(read))
        self.desk.lists = [listed]

    # --- inside ------------------------------------------------------------------------------------------------------

    def _row(self, payment_hash: str, direction: Direction, amount_msat: int) -> Transaction:
        """Of the wallet's list: settled an hour ago."""
        settled_at = self.desk.now - 3_600
        return Transaction(
            payment_hash=payment_hash,
            direction=direction,
            state="settled",
            settled_at=settled_at,
            amount_msat=amount_msat,
        )

    async def _receive(self, **changes: Any) -> Received:
        assert self._newest is not None, "nothing was reported"
        said, atm = self._newest
        return await self.till.receive({**said, **changes}, atm=atm)

    async def _asked(self, **changes: Any) -> SettlementStatus | None:
        """The wallet's answer about the payment that was reported last; `changes` of what it says."""
        assert self._newest is not None, "nothing was reported"
        said = self._newest[0]
        row = replace(self._row(said["payment_hash"], "incoming", said["wire_sats"] * MSAT), **changes)
        word = WalletWord(classify_payment(said["payment_hash"], row, "incoming", said["wire_sats"]))
        settlement, policy = await self._settlement(), self.till.policy.attempt
        return await self.desk.tx(
            lambda tx: proof.apply(tx, settlement, word, policy=policy, when_supported=False, now=self.desk.now)
        )

    async def _settlement(self) -> int:
        assert self._newest is not None, "nothing was reported"
        payment_hash, atm = self._newest[0]["payment_hash"], self._newest[1]

        def find(tx: Tx) -> int:
            machine = machines.by_pubkey(tx, atm)
            assert machine is not None
            found = settlements.of_machine(tx, machine.id, payment_hash)
            assert found is not None
            return found.id

        return await self.desk.tx(find)

    async def _key_of(self, name: str) -> str:
        def find(tx: Tx) -> str:
            found = machines.by_name(tx, name)
            assert found is not None, name
            return found.pubkey

        return await self.desk.tx(find)
