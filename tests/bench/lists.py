"""Lists over 100,000 rows beside the same over 100, in the same run: orders given to the handlers of each."""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot import policies
from bot.config import Config
from handlers import orders
from handlers.context import Answer, Ask, Live, Message, Settings
from storage.db import Database, Tx
from tests.bench.crowd import EVERY_SECONDS, FEW, MANY, NOW, Crowd, key_of, open_crowd
from tests.bench.limits import Limits

ROUNDS = 40
LIMIT = 1.5
MARGIN_MS = 0.5
"""Where an answer takes a fraction of a millisecond, a ratio says nothing."""
LIVE = Live((), frozenset(), NOW - 3_600)

_NUMBERS = itertools.count()


@dataclass(frozen=True, slots=True)
class Order:
    sender: str
    method: str
    params: dict[str, Any]

    def __str__(self) -> str:
        return " ".join([self.method, *(f"{key}={value}" for key, value in self.params.items() if key != "limit")])


def asks(crowd: Crowd) -> Iterator[Order]:
    """Every list with every filter. What is rare is old, so that a search from the newest on would find it last."""
    old = crowd.began_at + crowd.rare * EVERY_SECONDS
    deep, deep_leg = f"S{crowd.rare + 10}", f"P{crowd.rare * 4 + 10}"
    times = [{"until": old}, {"since": NOW - 10 * EVERY_SECONDS}, {"since": old - 600 * 3, "until": old}]
    boss: dict[str, list[dict[str, Any]]] = {
        "settlement.list": [
            {},
            {"before": deep},
            *(
                {"status": status}
                for status in ("processed", "errored", "rejected", "refunded", "pending", "unverified")
            ),
            *({"machine": machine} for machine in ("m1", "m2")),
            *times,
            *({"machine": "m2", **more} for more in times),
            *({"status": "errored", **more} for more in times),
            {"machine": "m1", "status": "processed"},
            {"machine": "m2", "status": "errored"},
            {"machine": "m2", "status": "processed", "before": deep},
        ],
        "payment.list": [
            {},
            {"before": deep_leg},
            {"settlement": "S50"},
            *({"status": status} for status in ("completed", "failed", "skipped", "voided", "refunded", "pending")),
            *(
                {"type": type_}
                for type_ in ("dca", "super_fee", "operator_split", "refund", "settlement", "autoforward")
            ),
            *({"lp": lp} for lp in ("lp1", "lp7", key_of("lp 1"))),
            {"lp": "lp1", "before": deep_leg},
            {"lp": "lp1", "type": "settlement"},
            {"lp": "lp1", "type": "dca"},
            {"lp": "lp1", "status": "failed"},
            {"lp": "lp1", "status": "skipped"},
            {"type": "refund", "status": "completed"},
            {"type": "super_fee", "status": "skipped"},
            {"type": "dca", "status": "failed", "before": deep_leg},
        ],
        "deposit.list": [
            {},
            {"before": f"D{crowd.rare + 5}"},
            *({"status": status} for status in ("confirmed", "pending", "deleted")),
            {"machine": "m2"},
            {"lp": "lp1"},
            {"lp": "lp7"},
            {"lp": "lp1", "status": "deleted"},
            {"machine": "m2", "status": "deleted"},
            {"machine": "m2", "lp": "lp1"},
        ],
        "lp.list": [{}, {"before": "E9"}, {"machine": "m2"}, {"lp": "lp1"}, {"machine": "m2", "before": "E25"}],
        "lp.show": [{"lp": "lp1"}, {"lp": "LP7"}],
        "lp.applicants": [{}],
        "machine.list": [{}, {"before": "m3"}],
        "audit": [
            {},
            {"before": f"{crowd.rare + 5}"},
            {"target": "S50"},
            {"target": "platform"},
            {"since": NOW - 10 * EVERY_SECONDS},
        ],
        "settlement.show": [{"settlement": "S50"}],
        "payment.show": [{"payment": "P50"}],
        "worklist": [{}, {"threshold_minutes": 0}],
        "status": [{}],
    }
    lp: dict[str, list[dict[str, Any]]] = {
        "history": [
            {},
            {"before": deep_leg},
            *({"type": type_} for type_ in ("dca", "settlement")),
            {"machine": "m2"},
            {"machine": "m2", "before": deep_leg},
            *times,
        ],
        "balance": [{}, {"machine": "m2"}],
    }
    platform: dict[str, list[dict[str, Any]]] = {"audit": [{}, {"before": f"{crowd.rare + 5}"}]}
    for sender, methods in ((key_of("boss"), boss), (key_of("lp 1"), lp), (key_of("platform"), platform)):
        for method, each in methods.items():
            for params in each:
                paged = method.endswith(".list") or method in ("history", "audit", "lp.applicants")
                yield Order(sender, method, {**params, "limit": 2} if paged else params)


def settings() -> Settings:
    config = Config.model_validate(
        {
            "identity": {"key": "env:UNUSED"},
            "nostr": {"relays": ["ws://127.0.0.1:1"]},
            "roles": {"operators": [key_of("boss")], "platform": [key_of("platform")]},
            "storage": {"path": "unused.db"},
        }
    )
    return policies.orders(config, key_of("bot"), "0")


def answer(tx: Tx, ask: Order, settings: Settings) -> dict[str, Any]:
    """What the bot would send."""
    number = next(_NUMBERS)
    text = json.dumps({"id": f"{number}", "method": ask.method, "params": ask.params})
    message = Message(f"{number:064x}", ask.sender, text, NOW, signed=False)
    now = NOW + number // 5  # a person may give 600 orders a minute
    try:
        bug = orders.handle(tx, message, settings, LIVE, now)
    except Ask as asked:
        read = asked.question.read or (lambda _: None)
        bug = orders.handle(tx, message, settings, LIVE, now, Answer(read(tx)))
    if bug is not None:
        raise bug
    row = tx.one("SELECT json_extract(body, '$.text') AS text FROM outbox ORDER BY id DESC LIMIT 1")
    assert row is not None
    told: dict[str, Any] = json.loads(row["text"])
    if "error" in told:
        raise AssertionError(f"{ask}: {told['error']}")
    return told


async def measure(limits: Limits) -> list[str]:
    """Lines to print."""
    with tempfile.TemporaryDirectory() as folder:
        databases = [await open_crowd(Path(folder) / f"{number}.db", crowd) for number, crowd in enumerate((FEW, MANY))]
        try:
            pairs = list(zip(asks(FEW), asks(MANY), strict=True))
            times = [await _turn_about(databases, pair) for pair in pairs]
        finally:
            for db in databases:
                await db.close()
    slowest = []
    for (_, ask), (few, many) in zip(pairs, times, strict=True):
        beyond = max(0.0, many - MARGIN_MS / 1e3) / few
        told = limits.at_most(f"lists, {ask}", beyond, LIMIT)
        slowest.append((many / few, f"  {ask!s:60} {many * 1e3:6.2f} ms   over few {few * 1e3:6.2f} ms   {told}"))
    slowest.sort(reverse=True)
    return [
        f"lists: {len(pairs)} orders over {MANY.settlements:,} settlements and over {FEW.settlements}, {ROUNDS} rounds",
        *(line for _, line in slowest[:8]),
        f"  the other {len(slowest) - 8} at most {slowest[8][0]:.2f} times as long",
    ]


async def _turn_about(databases: list[Database], pair: tuple[Order, Order]) -> list[float]:
    """Medians, in seconds, of the same order at each."""
    own = settings()
    times: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for db, ask, into in zip(databases, pair, times, strict=True):
            into.append(await db.write(lambda tx, ask=ask: _timed(tx, ask, own)))  # type: ignore[misc]
    return [statistics.median(each) for each in times]


def _timed(tx: Tx, ask: Order, own: Settings) -> float:
    began = time.perf_counter()
    answer(tx, ask, own)
    return time.perf_counter() - began


if __name__ == "__main__":
    print("\n".join(asyncio.run(measure(Limits()))))
