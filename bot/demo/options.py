"""What `satmachine demo` was asked for. Secrets come as sources (`file:…`, `env:…`), never as themselves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """The options of the command line, unchecked. `bot.demo.plan.check` says whether they can work together."""

    transactions: int = 12
    """How many customers come."""
    speed: float = 1.0
    """2 is twice as fast: pauses between customers, nothing else."""
    once: bool = False
    """Ends by itself, and exits 0 only if the books balance."""
    port: int = 0
    """Of the embedded relay; 0 takes a free one."""
    relay: str | None = None
    """Another relay instead of the embedded one."""
    nwc: str | None = None
    """Source of the connection URI of the machine's wallet, instead of the demo's own wallet."""
    lp: tuple[str, ...] = ()
    """With `nwc`: where the LPs are paid; each address is one LP."""
    platform: str | None = None
    """With `nwc`: where the platform fee and the shares of the operator fee are paid."""
    customer_nwc: str | None = None
    """With `nwc`: source of the connection URI of a wallet that plays the customer."""
    network: str = "regtest"
    """The network of the wallet: mainnet, testnet, signet or regtest."""
