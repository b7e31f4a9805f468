"""What stands around the bot in one run: a relay, wallets, payees. Either the demo's own, or somebody's real ones.

All the rest of the demo sees is addresses: where the relay is, how wallets are reached, where people are paid.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
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

TILL = "machine"
"""The account that the machine's wallet spends from."""
CUSTOMER = "customer"
GUEST = "you"
_SPARE_SATS = 1_000_000


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Targets are Lightning addresses; `splits` and `lps` in the order of the script."""

    relay: str
    bot_wallet: WalletUri = field(repr=False)
    till: WalletUri = field(repr=False)
    """The machine's own connection to the same wallet."""
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
            bot_wallet=outside.uri,
            till=outside.uri,
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
    paid_out = sum(sale.principal_sats for sale in plan.sales if not sale.cash_out)
    paid_in = sum(sale.wire_sats for sale in plan.sales if sale.cash_out)
    network.add_account(TILL, (paid_out + _SPARE_SATS) * 1_000)
    network.add_account(CUSTOMER, (paid_in + _SPARE_SATS) * 1_000)
    addresses = AddressServer(network)
    await addresses.start()
    stack.push_async_callback(addresses.stop)
    service = WalletService(network, [relay], clock)
    await service.start()
    stack.push_async_callback(service.stop)
    bot_wallet, till, customer = [await service.add_wallet(account) for account in (TILL, TILL, CUSTOMER)]
    return Surroundings(
        relay=relay,
        bot_wallet=parse_wallet_uri(bot_wallet.uri),
        till=parse_wallet_uri(till.uri),
        customer=parse_wallet_uri(customer.uri),
        lps=[addresses.add(name) for name in plan.lp_names],
        platform=addresses.add(script.PLATFORM),
        splits=[addresses.add(name) for _, name in script.SPLITS],
        guest=addresses.add(GUEST),
        lightning=network,
    )
