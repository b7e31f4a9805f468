"""A machine with its LPs in a database, ready to take settlements: what the measurements begin with."""

from __future__ import annotations

import json
from pathlib import Path

from bot.nostr import Keys
from ledger.fees import FeeRates
from ledger.model import Platform, SplitShare
from storage import deposits, lps, machines, platform, splits, wallets
from storage.db import Database, Tx

PLATFORM_PPM = 30_000
OPERATOR_PPM = 50_000
PRINCIPAL_SATS = 100_000
WIRE_SATS = 108_000
LEGS = 24
"""One for the platform, three splits, twenty LPs."""


async def open_books(path: Path, machine: str, targets: list[str], wallet_pubkey: str, now: int) -> Database:
    """`targets`: of the platform, the three split payees and the twenty LPs, in this order."""
    if len(targets) != LEGS:
        raise ValueError(f"{LEGS} targets are needed")

    def seed(tx: Tx) -> None:
        wallets.register(tx, "main", wallet_pubkey=wallet_pubkey, client_pubkey=machine, now=now)
        platform.start(tx, Platform(FeeRates(0, PLATFORM_PPM), targets[0]))
        placed = machines.insert(
            tx,
            pubkey=machine,
            name="sintra",
            wallet="main",
            fiat="GTQ",
            location=None,
            fees=FeeRates(0, OPERATOR_PPM),
            now=now,
        )
        fractions = (500_000, 300_000, 200_000)
        shares = [SplitShare(ppm, target, target) for ppm, target in zip(fractions, targets[1:4], strict=True)]
        splits.replace(tx, None, shares, now)
        for number, target in enumerate(targets[4:]):
            lp = lps.insert(tx, pubkey=Keys.generate().public_key, name=f"lp{number}", now=now)
            lps.set_target(tx, lp.id, target, now)
            lps.enrol(tx, placed.id, lp.id, now)
            deposit = deposits.insert(
                tx,
                machine_id=placed.id,
                lp_id=lp.id,
                amount_minor=10**9 + number,
                currency="GTQ",
                note=None,
                by=machine,
                now=now,
            )
            deposits.confirm(tx, deposit, now)

    db = await Database.open(path)
    await db.write(seed)
    return db


def report(payment_hash: str, now: int) -> str:
    """A settlement as the ATM writes it: 100,000 sats of principal, 8 % fee."""
    return json.dumps(
        {
            "v": 1,
            "type": "settlement",
            "source": "bitspire",
            "tx_type": "cash_out",
            "payment_hash": payment_hash,
            "wire_sats": WIRE_SATS,
            "principal_sats": PRINCIPAL_SATS,
            "fee_sats": WIRE_SATS - PRINCIPAL_SATS,
            "fiat_amount": "2000.00",
            "currency": "GTQ",
            "exchange_rate": "50",
            "created_at": now,
        }
    )
