"""What stands around the bot in one run: a relay, wallets, payees. Either the demo's own, or somebody's real ones.

All the rest of the demo sees is addresses: where the relay is, how wallets are reached, where people are paid.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from bot.demo import script
from bot.demo.addresses import AddressServer
from bot.demo.lightning import LightningNetwork
from bot.demo.plan import Plan
from bot.demo.relay import EmbeddedRelay
from bot.demo.wallet_service import WalletService
from nwc.ports import Clock
from nwc.uri import WalletUri, parse_wallet_uri

TILLS = {script.MACHINE: "machine", script.SECOND: "plaza machine"}
"""The accounts that the machines' wallets spend from, by machine."""
SPARE = "spare"
"""The account of the wallet that is there for a visitor's machine."""
CUSTOMER = "customer"
GUEST = "you"
_SPARE_SATS = 1_000_000
_SPARE_WALLET_SATS = 5_000_000
"""Enough for a visitor's operator to settle what LPs have left."""


@dataclass(frozen=True, slots=True)
class MachineWallet:
    """A wallet with its two connections: the bot's and the machine's own."""

    bot: WalletUri = field(repr=False)
    till: WalletUri = field(repr=False)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Targets are Lightning addresses; `splits` and `lps` in the order of the script."""

    relay: str
    wallets: Mapping[str, MachineWallet]
    """By the names of the demo's own machines."""
    spare: MachineWallet | None
    """For a machine that a visitor registers."""
    customer: WalletUri | None = field(repr=False)
    """None: whoever watches pays the invoices."""
    lps: Sequence[str]
    platform: str
    splits: Sequence[str]
    guest: str | None
    """Where a visitor who plays an LP can be paid."""
    lightning: LightningNetwork | None
    """The demo's own, where money can be watched from the payees' side."""


@asynccontextmanager
async def surroundings(plan: Plan, clock: Clock) -> AsyncIterator[Surroundings]:
    """Raises OSError where the relay's port is taken."""
    async with AsyncExitStack() as stack:
        relay = plan.relay
        if relay is None:
            embedded = EmbeddedRelay(plan.port)
            stack.push_async_callback(embedded.stop)
            relay = await embedded.start()
        outside = plan.wallet
        if outside is None:
            yield await _own(plan, relay, clock, stack)
            return
        yield Surroundings(
            relay=relay,
            wallets={script.MACHINE: MachineWallet(outside.uri, outside.uri)},
            spare=None,
            customer=outside.customer,
            lps=outside.lps,
            platform=outside.platform,
            splits=[outside.platform for _ in script.SPLITS],
            guest=None,
            lightning=None,
        )


async def _own(plan: Plan, relay: str, clock: Clock, stack: AsyncExitStack) -> Surroundings:
    network = LightningNetwork(clock)
    stack.push_async_callback(network.close)
    paid_in = sum(sale.wire_sats for sale in plan.sales if sale.cash_out)
    for home in plan.homes:
        paid_out = sum(sale.principal_sats for sale in plan.sales if not sale.cash_out and sale.home == home)
        network.add_account(TILLS[home], (paid_out + _SPARE_SATS) * 1_000)
    if plan.spare:
        network.add_account(SPARE, _SPARE_WALLET_SATS * 1_000)
    network.add_account(CUSTOMER, (paid_in + _SPARE_SATS) * 1_000)
    addresses = AddressServer(network)
    await addresses.start()
    stack.push_async_callback(addresses.stop)
    service = WalletService(network, [relay], clock)
    await service.start()
    stack.push_async_callback(service.stop)
    customer = await service.add_wallet(CUSTOMER)
    return Surroundings(
        relay=relay,
        wallets={home: await _wallet(service, TILLS[home]) for home in plan.homes},
        spare=await _wallet(service, SPARE) if plan.spare else None,
        customer=parse_wallet_uri(customer.uri),
        lps=[addresses.add(name) for name in plan.lp_names],
        platform=addresses.add(script.PLATFORM),
        splits=[addresses.add(name) for _, name in script.SPLITS],
        guest=addresses.add(GUEST),
        lightning=network,
    )


async def _wallet(service: WalletService, account: str) -> MachineWallet:
    bot, till = [await service.add_wallet(account) for _ in range(2)]
    return MachineWallet(parse_wallet_uri(bot.uri), parse_wallet_uri(till.uri))
