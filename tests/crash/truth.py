"""What really happened, told by the wallets and the payees, and whether the books say the same.

Nothing here asks the program what it believes it did: payments are counted in the Lightning network's own log, requests
where the wallet got them. Only then the database is read, and held against that and against the invariants.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.nostr import Keys
from ledger.facts import WalletRow
from ledger.invariants import check_wallet
from nwc.bolt11 import decode
from nwc.event import Event
from nwc.foreign import parse_json
from storage.db import open_snapshot
from storage.verify import verify_file
from tests.crash.shop import Controlled, Sale, Shop, due

_MOST_TOLD = 40


@dataclass(slots=True)
class Verdict:
    """What a run came to. `problems` are sentences; a good run has none, and no doubles and no lost ones."""

    legs: int = 0
    paid_msat: int = 0
    doubles: list[str] = field(default_factory=list)
    """Legs that were paid more than once."""
    lost: list[str] = field(default_factory=list)
    """Legs that are not paid, and payees who have less than they must."""
    problems: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.doubles or self.lost or self.problems)

    def add(self, other: Verdict) -> None:
        self.legs += other.legs
        self.paid_msat += other.paid_msat
        self.doubles += other.doubles
        self.lost += other.lost
        self.problems += other.problems

    def __str__(self) -> str:
        told = [*self.doubles, *self.lost, *self.problems]
        return "\n".join([f"{self.legs} legs", *told[:_MOST_TOLD], f"{len(told)} sentences in all"])


async def judge(world: Controlled, shop: Shop, sales: Sequence[Sale], *, settled: bool = True) -> Verdict:
    """Counts one shop. `sales` are those that its machine reported; `settled`: every leg must be paid by now."""
    verdict = Verdict()
    out = await paid_out(world, shop)
    verdict.paid_msat = sum(move["amount_msat"] for move in out)
    verdict.doubles += paid_again(shop, out)
    balances = await world.call("balances")
    if settled:
        _count_payees(verdict, shop, sales, balances)
    verdict.problems += await world.call("audit")
    verdict.problems += await unstored_requests(world, shop)
    with_database(verdict, shop, out, balances[shop.wallet], settled=settled)
    return verdict


async def paid_out(world: Controlled, shop: Shop) -> list[dict[str, Any]]:
    """Every payment that has left the shop's wallet, but for those with which it was tried: they went to itself."""
    moves = await world.call("movements", account=shop.wallet)
    tried = _trials(shop)
    return [
        move
        for move in moves
        if move["payer"] == shop.wallet and not (move["payee"] == shop.wallet and move["payment_hash"] in tried)
    ]


def _trials(shop: Shop) -> set[str]:
    return {row["payment_hash"] for row in rows(shop.database_path, "SELECT payment_hash FROM trials")}


def paid_again(shop: Shop, out: Sequence[dict[str, Any]]) -> list[str]:
    """Legs that were paid more than once, as sentences."""
    paid_legs = Counter(str(move["metadata"]["leg"]) for move in out)
    return [f"{shop.name}: {leg} was paid {times} times" for leg, times in paid_legs.items() if times > 1]


def _count_payees(verdict: Verdict, shop: Shop, sales: Sequence[Sale], balances: dict[str, int]) -> None:
    have = {
        "platform": balances[shop.platform],
        "partner": balances[shop.partner],
        "lps": sum(balances[lp] for lp in shop.lps),
    }
    for who, sats in due(sales).items():
        if have[who] > sats * 1000:
            verdict.doubles.append(f"{shop.name}: {who} got {have[who]} msat, {sats * 1000} were due")
        elif have[who] < sats * 1000:
            verdict.lost.append(f"{shop.name}: {who} got {have[who]} msat, {sats * 1000} were due")
    if balances[shop.wallet] != 0:
        verdict.problems.append(f"{shop.name}: {balances[shop.wallet]} msat are left in the wallet")


async def unstored_requests(world: Controlled, shop: Shop) -> list[str]:
    """Payment requests that reached the wallet although their bytes are in no commit (invariant 3)."""
    client = Keys.parse(shop.wallet_uri.rsplit("secret=", 1)[1]).cipher()
    with_bytes = {row["event_id"] for row in rows(shop.database_path, "SELECT event_id FROM requests")}
    found, tried = [], _trials(shop)
    for raw in await world.call("requests", account=shop.wallet):
        event = Event.from_dict(raw)
        if event.id in with_bytes:
            continue  # by whichever connection it was asked
        decrypt = client.nip04_decrypt if "?iv=" in event.content else client.nip44_decrypt
        asked = parse_json(decrypt(shop.wallet_pubkey, event.content), max_chars=100_000)
        if isinstance(asked, dict) and asked["method"] == "pay_invoice":
            params = asked["params"]
            if isinstance(params, dict) and decode(str(params["invoice"])).payment_hash in tried:
                continue  # of a trial the hash alone is stored before
            found.append(f"{shop.name}: request {event.id} was published and is not stored")
    return found


def with_database(
    verdict: Verdict, shop: Shop, out: Sequence[dict[str, Any]], wallet_msat: int, *, settled: bool
) -> None:
    """The books against the invariants, against their own journal, and against the wallet."""
    report = verify_file(shop.database_path)
    made = rows(shop.database_path, "SELECT payment_hash, amount_msat, state FROM attempts")
    paid = {row["payment_hash"]: row["amount_msat"] for row in made if row["state"] == "settled"}
    unresolved = {row["payment_hash"] for row in made if row["state"] in ("sent", "claimed")}
    listed = [WalletRow(move["payment_hash"], True, move["amount_msat"]) for move in out]
    found = [*report.violations, *check_wallet(listed, paid, unresolved)]
    verdict.problems += [f"{shop.name}: {wrong.name} {wrong.ref}: {wrong.detail}" for wrong in found]
    every_leg = rows(shop.database_path, "SELECT id, status, reason FROM legs")
    verdict.legs = len(every_leg)
    if not settled:
        return
    verdict.lost += [
        f"{shop.name}: P{leg['id']} is {leg['status']}: {leg['reason']}"
        for leg in every_leg
        if leg["status"] != "completed"
    ]
    booked = rows(
        shop.database_path, "SELECT coalesce(sum(amount), 0) AS msat FROM postings WHERE account = 'assets:wallet:main'"
    )
    if booked[0]["msat"] != wallet_msat:
        verdict.problems.append(f"{shop.name}: {wallet_msat} msat in the wallet, the journal has {booked[0]['msat']}")


def rows(path: Path, query: str, *values: Any) -> list[dict[str, Any]]:
    """What is committed, whether a bot runs on this database or not."""
    raw = open_snapshot(path)
    try:
        return [dict(row) for row in raw.execute(query, values)]
    finally:
        raw.close()


def open_work(shop: Shop) -> int:
    """How many settlements and legs are not finished."""
    return len(
        rows(
            shop.database_path,
            "SELECT 1 FROM settlements WHERE status IN ('unverified', 'pending', 'processing')"
            " UNION ALL SELECT 1 FROM legs WHERE status = 'pending'",
        )
    )
