"""The play itself: everybody does their part, in order. When it is over, every customer was served.

Nothing is set up behind the bot's back: machine, LPs, deposits, splits and platform fee come about by direct messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final

from bot.atm.purse import INVOICE_SECONDS, Purse, PurseTrouble
from bot.demo import audit, script
from bot.demo.actor import Actor
from bot.demo.atm import Atm
from bot.demo.books import Payment
from bot.demo.plan import MAX_LPS, Plan
from bot.demo.scene import Arrival, SaleRow, Scene
from bot.demo.surroundings import CUSTOMER, GUEST, SPARE, TILLS, Surroundings
from bot.demo.waiting import until
from bot.nostr import Keys, npub_of
from nwc import bolt11
from nwc.ports import Clock
from nwc.uri import WalletUri

READY_WITHIN_SECONDS: Final = 45.0
POLL_SECONDS: Final = 0.2
_SETTLE_SECONDS: Final = 60.0
_SETTLE_SECONDS_EACH: Final = 5.0
_CASH_SECONDS: Final = 20.0
_TEND_SECONDS: Final = 0.5


class PlayFailed(Exception):
    """The play can't go on. The message says what happened instead of what should have."""


@dataclass(frozen=True, slots=True)
class Machine:
    """What reports, and the wallet that customers pay or are paid from."""

    atm: Atm
    till: Purse
    name: str = ""
    """Of the demo's own; the visitor names theirs."""


class Play:
    """The cast and what they do. `async with`: everybody is connected inside of it."""

    def __init__(self, plan: Plan, around: Surroundings, scene: Scene, bot: str, clock: Clock) -> None:
        self.plan, self.around, self.scene, self.clock = plan, around, scene, clock
        self._bot = bot
        self.operator = self._actor("operator", on_view=scene.worklist_event)
        self.platform = self._actor("platform")
        self.lps = [self._lp(name) for name in plan.lp_names]
        self.guest_operator = Keys.generate()
        self.guest_lp = self._actor(GUEST, on_view=self._on_guest_balance)
        self.stirred = asyncio.Event()
        """Set when the visitor's machine or LP is told something by the bot."""
        self.homes = {
            home: self._machine(f"{home}'s wallet", wallet.till, home) for home, wallet in around.wallets.items()
        }
        self.spare = self._machine("the spare wallet", around.spare.till) if around.spare else None
        self.brought = {home: dict(zip(plan.lp_names, plan.deposits(home), strict=True)) for home in self.homes}
        """What each LP has brought to each of the demo's own machines so far, in whole units."""
        self.refilled = dict.fromkeys(self.homes, 0)
        """What of it was put in after the first filling."""
        self.tending = asyncio.Lock()
        """Held while somebody refills a machine."""
        self._busy = {home: asyncio.Lock() for home in self.homes}
        """Held while a customer is at a machine, or while it is refilled: counts that are sent to it must be those of
        this moment."""
        self._refills: set[str] = set()
        self.customer = Purse("the customer's wallet", around.customer, clock) if around.customer else None
        self.began_at = clock.now()
        self.funds_msat = 0
        """What the machines' wallets held before the first customer."""
        self._legs: dict[str, tuple[str, str]] = {}
        self._unknown: list[tuple[str, int]] = []
        self._stack = AsyncExitStack()
        if around.lightning is not None:
            around.lightning.watch(self._watch)

    async def __aenter__(self) -> Play:
        machines = [each for machine in self.machines for each in (machine.atm, machine.till)]
        guest = [] if self.plan.once else [self.guest_lp]
        try:
            for member in (self.operator, self.platform, *self.lps, *guest, *machines, self.customer):
                if member is not None:
                    await self._stack.enter_async_context(member)
            await self._check_network()
            self.funds_msat = await self.funds()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    @property
    def machines(self) -> list[Machine]:
        return [*self.homes.values(), *([self.spare] if self.spare else [])]

    @property
    def machine(self) -> Machine:
        """The first of the demo's own."""
        return self.homes[script.MACHINE]

    async def funds(self) -> int:
        """What the machines' wallets hold together, in msat. Raises PurseTrouble."""
        return sum([await machine.till.balance_msat() for machine in self.machines])

    # --- before the first customer -----------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Registers everything by messages, then asks the bot whether it sees it so."""
        self.scene.say("Waiting for the bot to answer its operator")
        self.scene.said("operator", "status", await self.operator.write("status", READY_WITHIN_SECONDS))
        self.scene.say("The platform, the operator and the LPs set everything up by direct messages")
        fee, own = script.PLATFORM_PERCENT, script.OPERATOR_PERCENT
        await self._says(
            self.platform, f"platform set cash_in_fee={fee}% cash_out_fee={fee}% target={self.around.platform}"
        )
        for name, machine in self.homes.items():
            await self._says(
                self.operator,
                f"machine add npub={npub_of(machine.atm.keys.public_key)} name={name} "
                f"wallet={script.WALLETS[name]} fiat={script.CURRENCY} cash_in_fee={own}% cash_out_fee={own}%",
            )
            low = self.plan.filling(name).low
            await self._says(self.operator, f"threshold set {name} cash_low_notes={low}")
        shares = " + ".join(
            f'{percent}% {target} "{name}"'
            for (percent, name), target in zip(script.SPLITS, self.around.splits, strict=True)
        )
        offered = await self._says(self.operator, f"splits set {shares}")
        await self._says(self.operator, f"confirm {_found(r'confirm ([A-Z0-9]{6})', offered)}")
        turns = [self._enrol(lp, target) for lp, target in zip(self.lps, self.around.lps, strict=True)]
        await asyncio.gather(*turns)
        await self._check_setup()

    async def _enrol(self, lp: Actor, target: str) -> None:
        """The operator enrols, the LP joins by itself, then its fiat is recorded at each machine."""
        first = True
        for home, brought in self.brought.items():
            who = npub_of(lp.keys.public_key) if first else lp.name
            await self._says(self.operator, f"lp add {home} {who}{f' {lp.name}' if first else ''}")
            if first:
                await self._says(lp, f"join {target}")
                self.scene.lps[lp.name].joined = True
            recorded = await self._says(self.operator, f"deposit {home} {lp.name} {brought[lp.name]}")
            await self._says(self.operator, f"deposit confirm {_found(r'^(D[0-9]+) ', recorded)}")
            first = False

    async def _check_setup(self) -> None:
        for home, brought in self.brought.items():
            found = (await self.operator.ask("lp.list", machine=home, limit=MAX_LPS))["items"]
            enrolled = {each["name"]: each for each in found}
            for name, amount in brought.items():
                seen = enrolled.get(name)
                if seen is None or not seen["onboarded"] or seen["deposited"] != f"{amount}.00":
                    raise PlayFailed(f"the bot does not see {name}'s {amount} {script.CURRENCY} at {home}: {seen}")
            if not await until(lambda: self.scene.cash[home].told, _CASH_SECONDS):  # noqa: B023 - waited for here
                raise PlayFailed(f"{home} could not report its cassettes")
        rule = await self.operator.ask("splits.show", machine=script.MACHINE)
        if [leg["label"] for leg in rule["legs"]] != [name for _, name in script.SPLITS]:
            raise PlayFailed(f"the split rule is not in force: {rule}")
        if not (await self.platform.ask("platform.show"))["target"]:
            raise PlayFailed("the platform's target is not in force")

    async def invite(self) -> None:
        """Keys of a second operator and of an LP for whoever wants to take part with a Nostr client, and a machine for
        them to register. Without one, the LP is enrolled at the demo's own."""
        keys = (("Operator", self.guest_operator.nsec()), ("LP", self.guest_lp.keys.nsec()))
        if self.spare is not None:
            atm = npub_of(self.spare.atm.keys.public_key)
            told = f"the ATM's wallet: {script.SPARE_WALLET}   the LP's address: {self.around.guest}"
            self.scene.invited((*keys, ("ATM", atm), ("With", told)))
            return
        await self._says(self.operator, f"lp add {script.MACHINE} {npub_of(self.guest_lp.keys.public_key)} {GUEST}")
        write = f"as LP: join ADDRESS   then as operator: deposit {script.MACHINE} {GUEST} 500"
        self.scene.invited((*keys, ("Write", write)))

    async def _check_network(self) -> None:
        said = await self.machine.till.network()
        if self.plan.wallet is not None and said and said != self.plan.network:
            raise PlayFailed(f"the machine's wallet is on {said}: say --network {said}")

    # --- customers ---------------------------------------------------------------------------------------------------

    async def serve(self, row: SaleRow, machine: Machine) -> None:
        """One customer, from the invoice to the receipt. Raises PurseTrouble, NoAnswer."""
        async with self._busy.get(machine.name, contextlib.nullcontext()):
            await self._serve(row, machine)

    async def _serve(self, row: SaleRow, machine: Machine) -> None:
        sale = row.sale
        if not machine.atm.has_cash_for(sale):
            raise PurseTrouble(f"{machine.name} has no notes that make {sale.cash}: the customer goes")
        if sale.cash_out:
            invoice = await machine.till.invoice(sale.wire_sats, f"{sale.cash} in cash")
            row.payment_hash = invoice.payment_hash
            await self._customer_pays(invoice, sale)
        else:
            if self.customer is None:  # pragma: no cover - the plan has no such sale then
                raise PlayFailed("nobody is there to be paid")
            invoice = await self.customer.invoice(sale.wire_sats, f"sats for {sale.cash}")
            row.payment_hash = invoice.payment_hash
            await machine.till.pay(invoice, {"nostr_sender_pubkey": machine.atm.keys.public_key})
        self.scene.sold(row)
        await machine.atm.sold(sale, invoice.payment_hash)

    async def _customer_pays(self, invoice: bolt11.Invoice, sale: script.Sale) -> None:
        if self.customer is not None:
            await self.customer.pay(invoice)
            return
        self.scene.say(f"Transaction {sale.number} of {len(self.plan.sales)}: pay this invoice")
        self.scene.on_line(invoice.text)
        self.scene.invoice = invoice.text
        try:
            async with asyncio.timeout(INVOICE_SECONDS):
                await self.homes[sale.home].till.paid(invoice.payment_hash)
        except TimeoutError:
            raise PurseTrouble(f"the invoice of transaction {sale.number} was not paid") from None
        finally:
            self.scene.invoice = None

    async def serve_all(self) -> None:
        """Every customer of the plan, with LPs who ask for their balance between them."""
        for turn, row in enumerate([row for row in self.scene.sales if not row.sale.at]):
            if turn:
                await asyncio.sleep(self.plan.pause_seconds)
            await self.serve(row, self.homes[row.sale.home])
            if turn % 3 == 1:
                await self._says(self.lps[turn // 3 % len(self.lps)], "balance")

    async def serve_another(self) -> None:
        """One more customer than planned."""
        number = self.scene.planned + 1
        cash_in = self.customer is not None
        sale = script.sales(number, network=self.plan.network, cash_in=cash_in, homes=self.plan.homes)[-1]
        await self.serve_more(sale, self.homes[sale.home])

    async def serve_more(self, sale: script.Sale, machine: Machine) -> None:
        """One customer who was not planned. The demo's own accounts get what that takes."""
        if self.around.lightning is not None:
            self.around.lightning.fund(CUSTOMER if sale.cash_out else TILLS[sale.home], sale.wire_sats * 1_000)
            self.funds_msat += 0 if sale.cash_out else sale.wire_sats * 1_000
        self.scene.sales.append(row := SaleRow(sale))
        try:
            await self.serve(row, machine)
        except PurseTrouble:
            self.scene.sales.remove(row)
            raise

    async def follow(self) -> None:
        """Asks the bot, as its operator, how the settlements go, for as long as it is run."""
        while True:
            open_rows = [row for row in self.scene.sales if row.settlement is not None and not row.ended]
            for row in open_rows:
                await self._look_at(row)
                await asyncio.sleep(POLL_SECONDS)
            if self._unknown:
                await self._look_at_leg(self._unknown[0][0])
            await asyncio.sleep(POLL_SECONDS / 4)

    # --- cash --------------------------------------------------------------------------------------------------------

    async def tend(self) -> None:
        """Watches what the bot says of the machines' cash, and refills where it gives the alarm, for as long as it is
        run."""
        while True:
            alarms = [each for each in await self.operator.ask_all("alarm.list") if each["cause"] == "cash_low"]
            names = [str(each["facts"].get("machine")) for each in alarms]
            for home in self.homes:
                told = await self.operator.ask("cassette.list", machine=home)
                self.scene.cash_told(home, told, alarm=home in names)
            for alarm, home in zip(alarms, names, strict=True):
                if home in self.homes and alarm["id"] not in self._refills and "position" in alarm["facts"]:
                    self._refills.add(alarm["id"])
                    async with self.tending, self._busy[home]:
                        await self._refill(home, int(alarm["facts"]["position"]))
            await asyncio.sleep(_TEND_SECONDS)

    async def _refill(self, home: str, position: int) -> None:
        """An LP brings as many notes as the bay held at first; the operator puts them in, records that, and tells the
        machine."""
        filled = self.plan.filling(home).bays[position]
        lp = self.lps[len(self._refills) % len(self.lps)]
        amount = filled.amount
        sent = self.scene.cash[home].configs + 1
        self.scene.say(f"{home} runs low: {lp.name} brings {filled.count} notes of {filled.denomination}")
        recorded = await self._says(self.operator, f"deposit {home} {lp.name} {amount}")
        self.brought[home][lp.name] += amount
        number = _found(r"^(D[0-9]+) ", recorded)
        await until(lambda: all(row.ended for row in self.scene.sales if row.sale.home == home), _CASH_SECONDS)
        await self._says(self.operator, f'deposit confirm {number} bays="{position}={filled.count}"')
        self.refilled[home] += amount
        await self._says(self.operator, f"cassette publish {home}")
        if not await until(lambda: self.scene.cash[home].configs == sent, _CASH_SECONDS):
            raise PlayFailed(f"{home} did not take its cassette config")

    async def settled(self) -> None:
        """Returns when nothing is open any more, or after the time that this may take: the books then say so."""
        limit = _SETTLE_SECONDS + _SETTLE_SECONDS_EACH * len(self.plan.sales)
        if not await self.quiet(limit):
            self.scene.say(f"Not everything was settled within {limit:g} s")

    async def quiet(self, seconds: float) -> bool:
        """Whether every settlement has ended, and every payment is accounted for, within so many seconds."""
        return await until(lambda: all(row.ended for row in self.scene.sales) and not self._unknown, seconds)

    async def _look_at(self, row: SaleRow) -> None:
        shown = await self.operator.ask("settlement.show", settlement=row.settlement)
        for leg in shown["legs"]:
            self._learn(leg, row.settlement or "")
        self._tell_known()
        self.scene.progress(row, shown["status"])

    async def _look_at_leg(self, leg_id: str) -> None:
        """A payment of no settlement, or of one that is not looked at."""
        shown = await self.operator.ask("payment.show", payment=leg_id)
        self._learn(shown, shown["settlement"] or "")
        self._tell_known()

    def _tell_known(self) -> None:
        known = [each for each in self._unknown if each[0] in self._legs]
        self._unknown = [each for each in self._unknown if each[0] not in self._legs]
        for leg_id, amount_sats in known:
            self.scene.arrive(Arrival(amount_sats, *self._legs[leg_id]))

    def _learn(self, leg: dict[str, Any], settlement: str) -> None:
        """Whose payment a leg is. At real payees nobody can look, so there the bot's word is what arrives."""
        payee = audit.leg_payee(leg, {lp.keys.public_key: lp.name for lp in (*self.lps, self.guest_lp)})
        known = leg["id"] in self._legs
        if self.around.lightning is None:
            if leg["status"] == "completed" and not known:
                self._legs[leg["id"]] = (payee, settlement)
                self.scene.arrive(Arrival(leg["amount_sats"], payee, settlement))
        else:
            self._legs[leg["id"]] = (payee, settlement)

    def _watch(self, payment: Payment) -> None:
        """A payment of the demo's own Lightning network has settled."""
        leg = (payment.metadata or {}).get("leg")
        if payment.payer not in (*TILLS.values(), SPARE) or leg is None:
            return
        if (row := self.scene.lps.get(payment.payee)) is not None:
            row.got_sats = (row.got_sats or 0) + payment.amount_msat // 1_000
        # Which settlement it is for, the bot is asked next: the payee can't see that.
        self._unknown.append((str(leg), payment.amount_msat // 1_000))

    # --- inside ------------------------------------------------------------------------------------------------------

    async def _says(self, who: Actor, text: str) -> str:
        answer = await who.write(text)
        self.scene.said(who.name, text, answer)
        return answer

    def _actor(self, name: str, on_view: Callable[[dict[str, Any]], None] | None = None) -> Actor:
        def told(who: str, text: str) -> None:
            self.scene.said(who, None, text)

        return Actor(name, self._bot, self.around.relay, self.clock, on_told=told, on_view=on_view)

    def _lp(self, name: str) -> Actor:
        return self._actor(name, on_view=lambda content: self.scene.balance(name, content))

    def _on_guest_balance(self, content: dict[str, Any]) -> None:
        self.scene.balance(GUEST, content)
        self.scene.lps[GUEST].joined = bool(content.get("enrolments"))
        self.stirred.set()

    def _machine(self, wallet: str, uri: WalletUri, home: str = "") -> Machine:
        def told(kind: str, facts: Mapping[str, Any]) -> None:
            if kind == "receipt":
                self.scene.receipt(facts)
            elif kind == "fees":
                self.stirred.set()
            elif home:
                self.scene.machine_said(home, kind, facts)

        bays = self.plan.filling(home).bays if home else None
        about = {"name": home.capitalize(), "fiat": script.CURRENCY} if home else None
        atm = Atm(self._bot, self.around.relay, self.clock, told, bays=bays, about=about)
        return Machine(atm, Purse(wallet, uri, self.clock), home)


def _found(pattern: str, answer: str) -> str:
    """What an answer has to contain for the play to go on."""
    found = re.search(pattern, answer)
    if found is None:
        raise PlayFailed(f"the bot answered: {answer}")
    return found[1]
