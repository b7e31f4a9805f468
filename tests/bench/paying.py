"""How many legs a second the bot pays, beside a minimal script that keeps no books: same wallet, servers and number in
flight, same run, turn about."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from bot.config import Config
from bot.daemon import Daemon
from bot.demo.relay import RelayLink
from bot.nostr import Keys
from bot.wiring import Secrets
from nwc.uri import parse_wallet_uri
from storage.db import Database
from tests.bench.books import LEGS, PRINCIPAL_SATS, WIRE_SATS, open_books, report
from tests.bench.minimal import MinimalPayer
from tests.parts.world import WorldProcess

SETTLEMENTS = 12
ROUNDS = 3
IN_FLIGHT = 8
LIMIT_SECONDS = 120


async def measure() -> list[str]:
    """Lines to print."""
    minimal, ours = [], []
    with tempfile.TemporaryDirectory() as folder:
        async with WorldProcess(Path(folder) / "world") as world:
            payees = [await world.call("address", user=f"payee{n}", account=f"payee{n}") for n in range(LEGS)]
            for number in range(ROUNDS):
                minimal.append(await _minimal(world, payees, f"minimal{number}"))
                ours.append(await _ours(world, payees, f"machine{number}", Path(folder)))
    ratio = statistics.median(mine / theirs for mine, theirs in zip(ours, minimal, strict=True))
    return [
        f"paying: {SETTLEMENTS * LEGS} legs, {IN_FLIGHT} in flight, {ROUNDS} rounds turn about",
        f"  minimal script        {statistics.median(minimal):7.1f} legs a second",
        f"  satmachine            {statistics.median(ours):7.1f} legs a second, from first report to last leg booked",
        f"  ratio                 {ratio:7.2f}   (figure to reach: 0.8)",
    ]


async def _minimal(world: WorldProcess, payees: list[str], account: str) -> float:
    wallet = await world.call("wallet", account=account, balance_msat=SETTLEMENTS * WIRE_SATS * 1000)
    payer = MinimalPayer(parse_wallet_uri(wallet["uri"]), IN_FLIGHT)
    began = time.perf_counter()
    paid = await payer.pay_all(payees * SETTLEMENTS, PRINCIPAL_SATS * 1000 // LEGS // 1000 * 1000)
    if paid != SETTLEMENTS * LEGS:
        raise AssertionError(f"the minimal script paid {paid} of {SETTLEMENTS * LEGS}")
    return paid / (time.perf_counter() - began)


async def _ours(world: WorldProcess, payees: list[str], account: str, folder: Path) -> float:
    wallet = await world.call("wallet", account=account)
    bot, atm, now = Keys.generate(), Keys.generate(), int(time.time())
    config = Config.model_validate(
        {
            "identity": {"key": "env:UNUSED"},
            "nostr": {"relays": [world.relay_url]},
            "storage": {"path": str(folder / f"{account}.db")},
            "wallets": {"main": {"uri": "env:UNUSED"}},
            "payouts": {"network": "regtest", "allow_private_targets": True, "max_in_flight_per_wallet": IN_FLIGHT},
        }
    )
    db = await open_books(config.database_path, atm.public_key, payees, wallet["pubkey"], now)
    await db.close()
    hashes = [
        (await world.call("customer_pays", account=account, amount_msat=WIRE_SATS * 1000))["payment_hash"]
        for _ in range(SETTLEMENTS)
    ]
    stop, ready = asyncio.Event(), asyncio.Event()
    secrets = Secrets(bot, {"main": parse_wallet_uri(wallet["uri"])})
    daemon = Daemon(config, secrets, stop, on_ready=ready.set)
    running = asyncio.create_task(daemon.run())
    link = RelayLink([world.relay_url])
    try:
        await asyncio.wait_for(ready.wait(), LIMIT_SECONDS)
        await link.open(lambda _: None)
        cipher = atm.cipher()
        began = time.perf_counter()
        for payment_hash in hashes:
            content = cipher.nip44_encrypt(bot.public_key, report(payment_hash, now))
            await link.publish(cipher.sign(21_000, [["p", bot.public_key]], content, now))
        if daemon.db is None:
            raise AssertionError("the daemon is ready without its database")
        async with asyncio.timeout(LIMIT_SECONDS):
            while await _completed(daemon.db) < SETTLEMENTS * LEGS:
                await asyncio.sleep(0.02)
        return SETTLEMENTS * LEGS / (time.perf_counter() - began)
    finally:
        await link.close()
        stop.set()
        await running


async def _completed(db: Database) -> int:
    rows = await db.read(lambda tx: tx.all("SELECT count(*) AS n FROM legs WHERE status = 'completed'"))
    return int(rows[0]["n"])
