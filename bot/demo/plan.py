"""Options become a plan that can work, or a refusal that says what is missing. Reads secrets, touches no network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bot.demo import script
from bot.demo.options import DemoOptions
from bot.demo.script import Filling, Sale
from bot.query import BadRelayUrl, relay_url
from bot.secrets import SecretError, Source, read_wallet_uri
from nwc.bolt11 import NETWORKS
from nwc.targets import BadTarget, parse_target
from nwc.uri import WalletUri

MAX_TRANSACTIONS: Final = 10_000
MAX_LPS: Final = 20


class Unusable(ValueError):
    """The options can't work together. The message says why and what to do."""


@dataclass(frozen=True, slots=True)
class OutsideWallet:
    """Somebody's own wallet as the machine's, and where it then really pays to."""

    uri: WalletUri
    customer: WalletUri | None
    lps: tuple[str, ...]
    platform: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Plan:
    sales: tuple[Sale, ...]
    pause_seconds: float
    """Between two customers."""
    once: bool
    port: int
    relay: str | None
    network: str
    wallet: OutsideWallet | None

    @property
    def lp_names(self) -> tuple[str, ...]:
        return script.lp_names(len(self.wallet.lps) if self.wallet else len(script.LP_NAMES))

    @property
    def spare(self) -> bool:
        """Whether there is a machine for a visitor: not where the wallet is somebody's own, nor where nobody stays."""
        return self.wallet is None and not self.once

    @property
    def homes(self) -> tuple[str, ...]:
        """The demo's own machines."""
        return homes_with(self.wallet)

    def deposits(self, home: str) -> tuple[int, ...]:
        """Of each LP at one of them, in whole units of its currency."""
        return script.deposits(self.sales, len(self.lp_names), home)

    def filling(self, home: str) -> Filling:
        return script.filling(self.sales, sum(self.deposits(home)), home, network=self.network)


def homes_with(wallet: OutsideWallet | None) -> tuple[str, ...]:
    """Somebody's own wallet is one machine's; each machine has its own."""
    return (script.MACHINE, script.SECOND) if wallet is None else (script.MACHINE,)


def check(options: DemoOptions, *, base: Path, environ: Mapping[str, str] | None = None) -> Plan:
    """Raises Unusable. Relative `file:` sources are relative to `base`."""
    if not 0 <= options.transactions <= MAX_TRANSACTIONS:
        raise Unusable(f"--transactions must be from 0 to {MAX_TRANSACTIONS}")
    if not 0 < options.speed <= 1_000:
        raise Unusable("--speed must be more than 0 and at most 1000: 2 is twice as fast")
    if not 0 <= options.port <= 65_535:
        raise Unusable("--port must be from 1 to 65535, or 0 for a free one")
    if options.network not in NETWORKS.values():
        raise Unusable(f"--network must be one of {', '.join(NETWORKS.values())}")
    if options.relay is not None and options.port:
        raise Unusable("--port is for the demo's own relay: leave it out with --relay")
    wallet = _wallet(options, base, environ)
    customer = wallet is None or wallet.customer is not None
    return Plan(
        sales=script.sales(options.transactions, network=options.network, cash_in=customer, homes=homes_with(wallet)),
        pause_seconds=script.PAUSE_SECONDS / options.speed,
        once=options.once,
        port=options.port,
        relay=_relay(options.relay),
        network=options.network,
        wallet=wallet,
    )


def _relay(url: str | None) -> str | None:
    try:
        return None if url is None else relay_url(url)
    except BadRelayUrl as bad:
        raise Unusable(f"--relay: {bad}") from None


def _wallet(options: DemoOptions, base: Path, environ: Mapping[str, str] | None) -> OutsideWallet | None:
    if options.nwc is None:
        given = {"--lp": options.lp, "--platform": options.platform, "--customer-nwc": options.customer_nwc}
        alone = [name for name, value in given.items() if value]
        if alone:
            raise Unusable(f"{alone[0]} needs --nwc: the demo's own wallet can't pay anybody outside of the demo")
        if options.network != "regtest":
            raise Unusable("--network needs --nwc: the demo's own wallet is on regtest")
        return None
    if not options.lp or options.platform is None:
        missing = "--lp ADDRESS (once for each LP)" if not options.lp else "--platform ADDRESS"
        raise Unusable(
            f"--nwc needs {missing}: that wallet pays for real, so the demo's own payees can't be paid by it"
        )
    if len(options.lp) > MAX_LPS:
        raise Unusable(f"--lp can be given {MAX_LPS} times at most")
    uri = _uri("--nwc", options.nwc, base, environ)
    customer = _uri("--customer-nwc", options.customer_nwc, base, environ) if options.customer_nwc else None
    if customer is not None and customer.wallet_pubkey == uri.wallet_pubkey:
        raise Unusable("--customer-nwc is the machine's own wallet: the customer needs another one")
    private = options.network != "mainnet"
    for name, address in (*(("--lp", address) for address in options.lp), ("--platform", options.platform)):
        try:
            kind = parse_target(address, allow_private=private).kind
        except BadTarget as bad:
            raise Unusable(f"{name}: {bad}") from None
        if kind not in ("lightning_address", "lnurl", "npub"):
            raise Unusable(f"{name} must be a Lightning address, an LNURL or an npub: it is paid many times")
    return OutsideWallet(uri, customer, options.lp, options.platform)


def _uri(name: str, source: str, base: Path, environ: Mapping[str, str] | None) -> WalletUri:
    try:
        return read_wallet_uri(Source.parse(source), base, environ)
    except SecretError as bad:
        raise Unusable(f"{name}: {bad}") from None
