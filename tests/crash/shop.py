"""One operator's whole set-up in a world: configuration, keys, and a database with a machine, its LPs and the rules.

What a settlement owes to whom is fixed here by plain numbers, so that a test can say what every payee must have without
asking the program.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from bot.config import Config
from bot.config_file import load
from bot.nostr import Keys
from ledger.fees import FeeRates
from ledger.model import Platform, SplitShare
from storage import deposits, lps, machines, platform, splits, wallets
from storage.db import Database, Tx

PLATFORM_PERCENT = 3
OPERATOR_PERCENT = 5
RATE = 50
"""Sats per quetzal."""
DEPOSIT_MINOR = 1_000_000_00
LONG_SECONDS = 300_000_000


class Controlled(Protocol):
    """`World` and `WorldProcess`."""

    @property
    def relay_url(self) -> str: ...

    async def call(self, verb: str, **arguments: Any) -> Any: ...


@dataclass(frozen=True, slots=True)
class Sale:
    """A cash-out: what the customer pays and what is owed for it. The principal is a multiple of 100 sats."""

    principal_sats: int
    payment_hash: str = ""

    @property
    def platform_sats(self) -> int:
        return self.principal_sats * PLATFORM_PERCENT // 100

    @property
    def operator_sats(self) -> int:
        return self.principal_sats * OPERATOR_PERCENT // 100

    @property
    def fee_sats(self) -> int:
        return self.platform_sats + self.operator_sats

    @property
    def wire_sats(self) -> int:
        return self.principal_sats + self.fee_sats


@dataclass(slots=True)
class Shop:
    """`wallet` is the name of its account in the Lightning network; so are `payees`, whose addresses are the same."""

    name: str
    directory: Path
    config_path: Path
    bot: Keys = field(repr=False)
    atm: Keys = field(repr=False)
    operator: Keys = field(repr=False)
    wallet: str
    wallet_uri: str = field(repr=False)
    wallet_pubkey: str
    lps: tuple[str, ...]
    platform: str
    partner: str
    machine_id: int
    addresses: Mapping[str, str]

    @property
    def payees(self) -> tuple[str, ...]:
        return (*self.lps, self.platform, self.partner)

    @property
    def database_path(self) -> Path:
        return self.directory / "satmachine.db"

    def config(self) -> Config:
        return load(self.config_path)


HASTE: Mapping[str, Any] = {
    "network": "regtest",
    "allow_private_targets": True,
    "request_timeout_seconds": 1,
    "max_in_flight_per_wallet": 24,
    "resend_seconds": [1, 2, 4],
    "resolve_seconds": [1, 1, 2],
}
"""The `[payouts]` of tests: asked soon and often, everything else as in production."""


async def open_shop(
    world: Controlled,
    directory: Path,
    name: str = "s",
    *,
    number_of_lps: int = 4,
    personality: str = "honest",
    options: Mapping[str, Any] | None = None,
    payouts: Mapping[str, Any] | None = None,
    policy: Mapping[str, Any] | None = None,
    wallet: Mapping[str, Any] | None = None,
    fixed_mode: Mapping[str, Any] | None = None,
    public: bool = False,
) -> Shop:
    """Makes all of it. `payouts`, `policy`, `wallet` and `fixed_mode` are keys of those sections of the
    configuration; `public` is `nostr.public_machines`."""
    _make(directory)
    connection = await world.call("wallet", account=f"{name}.atm", personality=personality, **(options or {}))
    bot, atm, operator = Keys.generate(), Keys.generate(), Keys.generate()
    lp_names = tuple(f"{name}.lp{number}" for number in range(number_of_lps))
    payees = (*lp_names, f"{name}.platform", f"{name}.partner")
    addresses = {payee: await world.call("address", user=payee, account=payee) for payee in payees}
    for file, secret in (("operator.nsec", bot.nsec()), ("main.nwc", connection["uri"])):
        (directory / file).write_text(secret)
        (directory / file).chmod(0o600)
    sections: dict[str, Mapping[str, Any]] = {
        "identity": {"key": "file:operator.nsec"},
        "nostr": {"relays": [world.relay_url], "publish_profile": False, "public_machines": public},
        "roles": {"operators": [operator.public_key]},
        # With some profiles a lost request is never made again, and what is killed here must be done within seconds.
        "wallets.main": {"uri": "file:main.nwc", "profile": "unknown", **(wallet or {})},
        "platform": {"cash_out_fee": "0.03", "cash_in_fee": "0.03", "target": addresses[payees[-2]]},
        "policy": {"deaf_after_seconds": LONG_SECONDS, **(policy or {})},
        "payouts": {**HASTE, **(payouts or {})},
        "fixed_mode": fixed_mode or {},
        "log": {"level": "info", "format": "json"},
    }
    config_path = directory / "config.toml"
    config_path.write_text("\n".join(_toml(title, values) for title, values in sections.items()))
    shop = Shop(
        name=name,
        directory=directory,
        config_path=config_path,
        bot=bot,
        atm=atm,
        operator=operator,
        wallet=f"{name}.atm",
        wallet_uri=connection["uri"],
        wallet_pubkey=connection["pubkey"],
        lps=lp_names,
        platform=payees[-2],
        partner=payees[-1],
        machine_id=1,
        addresses=addresses,
    )
    await seed(shop, int(await world.call("advance", seconds=0)))
    return shop


async def seed(shop: Shop, now: int) -> None:
    """A machine, its LPs with their deposits, and who gets the fees."""
    db = await Database.open(shop.database_path)
    try:
        await db.write(lambda tx: _seed(tx, shop, now))
    finally:
        await db.close()


def _seed(tx: Tx, shop: Shop, now: int) -> None:
    client = Keys.parse(shop.wallet_uri.rsplit("secret=", 1)[1]).public_key
    wallets.register(tx, "main", wallet_pubkey=shop.wallet_pubkey, client_pubkey=client, now=now)
    fees = FeeRates(PLATFORM_PERCENT * 10_000, PLATFORM_PERCENT * 10_000)
    platform.start(tx, Platform(fees, shop.addresses[shop.platform]))
    machine = machines.insert(
        tx,
        pubkey=shop.atm.public_key,
        name="sintra",
        wallet="main",
        fiat="GTQ",
        location=None,
        fees=FeeRates(OPERATOR_PERCENT * 10_000, OPERATOR_PERCENT * 10_000),
        now=now,
    )
    assert machine.id == shop.machine_id
    splits.replace(tx, None, [SplitShare(1_000_000, shop.addresses[shop.partner], "partner")], now)
    for name in shop.lps:
        lp = lps.insert(tx, pubkey=Keys.generate().public_key, name=name, now=now)
        lps.set_target(tx, lp.id, shop.addresses[name], now)
        lps.enrol(tx, machine.id, lp.id, now)
        deposit = deposits.insert(
            tx,
            machine_id=machine.id,
            lp_id=lp.id,
            amount_minor=DEPOSIT_MINOR,
            currency="GTQ",
            note=None,
            by=shop.operator.public_key,
            now=now,
        )
        deposits.confirm(tx, deposit, now)


def _make(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)


def _toml(title: str, values: Mapping[str, Any]) -> str:
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join([f"[{title}]", *lines, ""])


async def sell(world: Controlled, shop: Shop, principal_sats: int = 100_000, **metadata: Any) -> Sale:
    """A customer pays for cash; the machine has not reported it yet."""
    sale = Sale(principal_sats)
    paid = await world.call(
        "customer_pays", account=shop.wallet, amount_msat=sale.wire_sats * 1000, metadata=metadata or None
    )
    return Sale(principal_sats, paid["payment_hash"])


def due(sales: Sequence[Sale]) -> dict[str, int]:
    """What the platform, the operator's partner and all LPs together must have of these, in sats."""
    return {
        "platform": sum(sale.platform_sats for sale in sales),
        "partner": sum(sale.operator_sats for sale in sales),
        "lps": sum(sale.principal_sats for sale in sales),
    }


async def until(true: Any, what: str, seconds: float = 20.0) -> Any:
    """Polls the async `true()` until it gives something truthy, which it returns; fails after so many seconds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        found = await true()
        if found:
            return found
        assert asyncio.get_running_loop().time() < deadline, f"not within {seconds} s: {what}"
        await asyncio.sleep(0.02)
