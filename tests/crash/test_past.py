"""A backup is restored while the world went on: what was sent since is found again, nothing is paid twice or lost."""

from __future__ import annotations

import asyncio
import itertools
import json
import shutil
import sqlite3
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bot.clock import SystemClock
from bot.nostr import wrap_dm
from storage.db import witness_path
from tests.crash.atm import STORED_KIND, Atms, report
from tests.crash.nursery import Child, Nursery
from tests.crash.shop import Controlled, Sale, Shop, open_shop, sell, until
from tests.crash.truth import judge, open_work, paid_out, rows
from tests.parts.world import WorldProcess

WITHIN_SECONDS = 40.0
PAYOUTS = {"request_life_seconds": 2, "request_margin_seconds": 1, "request_timeout_seconds": 1}
_ids = itertools.count()


@dataclass(frozen=True, slots=True)
class Case:
    personality: str
    witness: bool = True
    """Whether it was left beside the restored database."""


CASES = (
    Case("sloppy"),
    Case("alby"),
    Case("lnbits"),
    Case("alby", witness=False),
    Case("lnbits", witness=False),
)


@dataclass(slots=True)
class Scene:
    world: Controlled
    atms: Atms
    nursery: Nursery
    shop: Shop

    async def sell(self, number: int) -> list[Sale]:
        return [await sell(self.world, self.shop, 30_000 + 10_000 * each) for each in range(number)]

    async def report(self, sales: Sequence[Sale]) -> None:
        """As machines do: live until there is a receipt, and a copy for relays to keep."""
        for sale in sales:
            await self.atms.send(self.shop, report(sale, SystemClock().now()), kind=STORED_KIND)

    async def paid(self, number: int) -> None:
        """So many sales are known, and nothing of them is open."""

        async def done() -> bool:
            return len(rows(self.shop.database_path, "SELECT 1 FROM settlements")) == number and not open_work(
                self.shop
            )

        await self.seen(done, "everything is paid")

    async def seen(self, true: Any, what: str) -> None:
        try:
            await until(true, what, WITHIN_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{self.shop.name}: {error}\n{self._state()}") from None

    def backup(self) -> Path:
        copy = self.shop.directory / "backup.db"
        with closing(sqlite3.connect(self.shop.database_path)) as live, closing(sqlite3.connect(copy)) as target:
            live.backup(target)
        return copy

    def restore(self, copy: Path, *, witness: bool) -> None:
        for end in ("", "-wal", "-shm"):
            Path(f"{self.shop.database_path}{end}").unlink(missing_ok=True)
        shutil.copy(copy, self.shop.database_path)
        if not witness:
            witness_path(self.shop.database_path).unlink()

    async def kill(self, bot: Child) -> None:
        bot.kill()
        await self.nursery.gone(bot)

    async def order(self, method: str, **params: Any) -> Any:
        """The result of a program's order by the operator."""
        text = json.dumps({"id": next(_ids), "method": method, "params": params, "confirm": True})
        wrap, rumor_id = wrap_dm(self.shop.operator, self.shop.bot.public_key, text, None, SystemClock().now())
        await self.atms.link.publish(wrap)

        async def answered() -> list[dict[str, Any]]:
            return rows(
                self.shop.database_path,
                "SELECT json_extract(body, '$.text') AS text FROM outbox WHERE json_extract(body, '$.answers') = ?",
                rumor_id,
            )

        found = await until(answered, f"an answer to {text}")
        return json.loads(found[0]["text"])["result"]

    def holds(self) -> list[str]:
        return [row["name"] for row in rows(self.shop.database_path, "SELECT name FROM holds")]

    async def paid_twice(self) -> list[str]:
        """By what each payment was for, in words that outlive the numbers of rows."""
        count: Counter[tuple[str, str, str]] = Counter()
        for move in await paid_out(self.world, self.shop):
            said = move["metadata"]
            count[str(said["settlement"]), str(said["type"]), str(said["payee"])] += 1
        return [f"{what} was paid {times} times" for what, times in count.items() if times > 1]

    def _state(self) -> str:
        queries = (
            "SELECT id, status FROM settlements",
            "SELECT id, settlement_id, type, status, reason FROM legs WHERE status <> 'completed'",
            "SELECT payment_hash, settlement, type, state FROM forgotten",
            "SELECT payment_hash, state, expires_at FROM attempts WHERE state NOT IN ('settled', 'dropped')",
            "SELECT * FROM holds",
            "SELECT * FROM meta",
        )
        return "\n".join(str(row) for query in queries for row in rows(self.shop.database_path, query))


async def restore_and_count(scene: Scene, case: Case) -> str:
    """What went wrong, empty where nothing did."""
    before, kept, since, last = [await scene.sell(number) for number in (1, 1, 2, 2)]
    bot = await scene.nursery.start(scene.shop.config_path)
    await scene.report(before)
    await scene.paid(1)
    # Of one sale some legs are paid when the backup is made, and the others afterwards.
    await scene.report(kept)

    async def some() -> bool:
        return len(rows(scene.shop.database_path, "SELECT 1 FROM legs WHERE status = 'completed'")) > 4

    await until(some, "some are paid")
    copy = scene.backup()
    await scene.report(since)
    await scene.paid(4)
    await scene.report(last)

    async def sent() -> list[Any]:
        return rows(scene.shop.database_path, "SELECT 1 FROM attempts WHERE state = 'sent'")

    await until(sent, "something is on its way")
    await scene.kill(bot)
    scene.restore(copy, witness=case.witness)
    bot = await scene.nursery.start(scene.shop.config_path)
    try:
        if not case.witness:
            await _operator_decides(scene, case)
        await scene.paid(6)
        await scene.seen(_lifted(scene), "payments go on")
    finally:
        await scene.kill(bot)
    doubles = await scene.paid_twice()
    verdict = await judge(scene.world, scene.shop, [*before, *kept, *since, *last])
    # Rows are numbered anew, and without the witness the bytes of some requests are gone for good.
    problems = [each for each in verdict.problems if case.witness or "is not stored" not in each]
    told = [*doubles, *verdict.lost, *problems, *(each for each in verdict.doubles if " was paid " not in each)]
    return "\n".join(f"{case}: {each}" for each in told)


def _lifted(scene: Scene) -> Any:
    async def lifted() -> bool:
        return scene.holds() == []

    return lifted


async def _operator_decides(scene: Scene, case: Case) -> None:
    async def read() -> bool:
        return bool(rows(scene.shop.database_path, "SELECT 1 FROM meta WHERE key = 'past told'"))

    await scene.seen(read, "the operator is asked")
    await scene.order("hold.lift", hold="past", reason="looked into the wallet")
    if case.personality == "lnbits":
        await _operator_matches(scene)


async def _operator_matches(scene: Scene) -> None:
    """Where the wallet does not say what a payment was for, the operator does, who asks the payees."""
    moves = {move["payment_hash"]: move for move in await paid_out(scene.world, scene.shop)}

    async def all_known() -> bool:
        listed = await scene.order("forgotten.list")
        legs = rows(
            scene.shop.database_path,
            "SELECT l.id, l.type, l.target, s.payment_hash FROM legs l JOIN settlements s ON s.id = l.settlement_id"
            " WHERE l.status = 'pending'",
        )
        for each in listed["forgotten"]:
            move = moves[each["payment_hash"]]
            for leg in legs:
                whom = scene.shop.addresses[move["payee"]]
                if (leg["payment_hash"], leg["target"]) == (move["metadata"]["settlement"], whom):
                    order = {"hash_end": each["payment_hash"][-8:], "payment": leg["id"]}
                    await scene.order("forgotten.match", **order)
        return bool(listed["count"] == 0)

    await scene.seen(all_known, "all are matched")


@pytest.mark.crash
@pytest.mark.timeout(120)
async def test_a_restored_backup(tmp_path: Path) -> None:
    async with (
        WorldProcess(tmp_path / "world", life_seconds=120) as world,
        Atms(world.relay_url, SystemClock()) as atms,
        Nursery() as nursery,
    ):

        async def one(number: int, case: Case) -> str:
            directory = tmp_path / f"r{number}"
            shop = await open_shop(
                world, directory, f"r{number}", number_of_lps=2, personality=case.personality, payouts=PAYOUTS
            )
            await atms.add(shop)
            return await restore_and_count(Scene(world, atms, nursery, shop), case)

        told = await asyncio.gather(*(one(number, case) for number, case in enumerate(CASES)))
    assert not "".join(told), "\n".join(filter(None, told))
