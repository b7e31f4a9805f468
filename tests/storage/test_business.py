"""Machines, LPs, splits, the platform, wallets and orders as rows: what the handlers' tests don't see."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest

from ledger.decide.attempt import WalletProfile
from ledger.fees import FeeRates
from ledger.model import Platform, SplitShare
from storage import lps, machines, orders, platform, splits, switches, unmatched, wallets
from storage.db import Database, Tx
from storage.switches import Switch
from tests.fresh import open_fresh

KEY, OTHER = "ab" * 32, "cd" * 32


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await open_fresh(tmp_path / "books.db")
    yield opened
    await opened.close()


def a_machine(tx: Tx) -> int:
    wallets.register(tx, "main", wallet_pubkey=KEY, client_pubkey=OTHER, now=1)
    made = machines.insert(
        tx, pubkey=KEY, name="sintra", wallet="main", fiat="GTQ", location=None, fees=FeeRates(1, 2), now=1
    )
    return made.id


async def test_a_machine_was_last_seen_at_the_latest_time(database: Database) -> None:
    def work(tx: Tx) -> tuple[int | None, int | None, bool]:
        machine_id = a_machine(tx)
        before = machines.last_seen_at(tx, machine_id)
        machines.seen(tx, machine_id, 20)
        machines.seen(tx, machine_id, 10)
        switches.say(tx, switches.of_machine(machine_id), Switch(True, 1, KEY, None))
        found = machines.by_pubkey(tx, KEY)
        assert found is not None
        return before, machines.last_seen_at(tx, machine_id), found.paused

    assert await database.write(work) == (None, 20, True)


async def test_start_values_of_the_platform_give_way_to_orders(database: Database) -> None:
    def work(tx: Tx) -> list[Platform]:
        found = [platform.load(tx)]
        platform.start(tx, Platform(FeeRates(1, 2), "a"))
        found.append(platform.load(tx))
        platform.save(tx, Platform(FeeRates(3, 4), None))
        platform.start(tx, Platform(FeeRates(1, 2), "a"))
        return [*found, platform.load(tx)]

    assert await database.write(work) == [
        Platform(FeeRates(0, 0), None),
        Platform(FeeRates(1, 2), "a"),
        Platform(FeeRates(3, 4), None),
    ]


async def test_a_rule_taken_away_leaves_the_default(database: Database) -> None:
    def work(tx: Tx) -> list[str | None]:
        machine_id = a_machine(tx)
        found: list[str | None] = []
        for step in (
            lambda: None,
            lambda: splits.replace(tx, None, [SplitShare(1_000_000, "d", "default")], 1),
            lambda: splits.replace(tx, machine_id, [SplitShare(1_000_000, "m", "own")], 1),
            lambda: splits.clear(tx, machine_id),
            lambda: splits.clear(tx, None),
        ):
            step()
            rule = splits.effective(tx, machine_id)
            found.append(rule.shares[0].label if rule else None)
        assert not splits.clear(tx, None)
        return found

    assert await database.write(work) == [None, "default", "own", "default", None]


async def test_due_targets_come_into_force_once(database: Database) -> None:
    def work(tx: Tx) -> list[list[str | None]]:
        who = lps.insert(tx, pubkey=KEY, name="ana", now=1)
        lps.set_target(tx, who.id, "old", 2)
        lps.set_next_target(tx, who.id, "new", 10)
        return [[each.target for each in lps.take_due_targets(tx, now)] for now in (9, 10, 11)]

    assert await database.write(work) == [[], ["new"], []]
    who = await database.read(lambda tx: lps.by_name(tx, "ANA"))
    assert who is not None
    assert (who.onboarded_at, who.next_target_at) == (2, None)
    assert "new" not in repr(who)


async def test_wallets(database: Database) -> None:
    def work(tx: Tx) -> None:
        wallets.register(tx, "main", wallet_pubkey=KEY, client_pubkey=KEY, now=1)
        wallets.register(tx, "main", wallet_pubkey=KEY, client_pubkey=OTHER, now=2)
        wallets.register(tx, "second", wallet_pubkey=KEY, client_pubkey=KEY, now=2)
        assert wallets.pause(tx, "main", "no balance", 7, 3)
        assert not wallets.pause(tx, "main", "quota", 8, 4)
        assert wallets.paused(tx, "main")
        assert not wallets.paused(tx, "second")
        wallets.set_balance(tx, "main", 5_000, 5)
        wallets.set_scanned(tx, "main", 9, 9)
        wallets.set_scanned(tx, "main", 8, 8)
        found = wallets.get(tx, "main")
        assert found is not None
        assert (found.client_pubkey, found.paused_reason, found.missing_msat) == (OTHER, "no balance", 7)
        assert (found.balance_msat, found.balance_at, found.scanned_until) == (5_000, 5, 9)
        assert wallets.resume(tx, "second") == 0
        assert wallets.resume(tx) == 1
        assert wallets.resume(tx) == 0
        assert wallets.get(tx, "third") is None

    await database.write(work)


async def test_a_rotated_connection(database: Database) -> None:
    """The same wallet is no longer paused, and is known as well as before; another one is met for the first time."""

    def work(tx: Tx) -> None:
        def meet(wallet: str, client: str, now: int) -> wallets.Wallet:
            wallets.register(tx, "main", wallet_pubkey=wallet, client_pubkey=client, now=now)
            found = wallets.get(tx, "main")
            assert found is not None
            return found

        meet(KEY, KEY, 1)
        wallets.set_profile(tx, "main", WalletProfile.LNBITS)
        wallets.set_balance(tx, "main", 5_000, 5)
        wallets.set_scanned(tx, "main", 9, 9)
        assert wallets.pause(tx, "main", "revoked", 0, 10)

        again = meet(KEY, KEY, 20)
        assert (again.paused_reason, again.pauses, again.connected_at) == ("revoked", 1, 1)

        rotated = meet(KEY, OTHER, 30)
        assert (rotated.paused_reason, rotated.paused_at, rotated.pauses) == (None, None, 0)
        assert (rotated.profile, rotated.balance_msat, rotated.scanned_until) == (WalletProfile.LNBITS, 5_000, 9)
        assert (rotated.created_at, rotated.connected_at) == (1, 30)

        another = meet(OTHER, OTHER, 40)
        assert (another.profile, another.balance_msat, another.balance_at) == (WalletProfile.UNKNOWN, None, None)
        assert (another.scanned_until, another.last_answer_at) == (0, None)
        assert (another.created_at, another.connected_at) == (40, 40)

    await database.write(work)


async def test_the_end_of_a_hash_finds_payments_of_one_wallet(database: Database) -> None:
    def work(tx: Tx) -> None:
        for wallet in ("main", "second"):
            wallets.register(tx, wallet, wallet_pubkey=KEY, client_pubkey=KEY, now=1)
        for start, wallet in (("aa", "main"), ("bb", "main"), ("cc", "second")):
            for end in ("11" * 4, start * 4):
                unmatched.note(
                    tx,
                    payment_hash=start * 28 + end,
                    wallet=wallet,
                    direction="incoming",
                    amount_msat=1,
                    settled_at=1,
                    now=2,
                )
        assert unmatched.ending_in(tx, "main", "aa" * 4) == ["aa" * 32]
        assert len(unmatched.ending_in(tx, "main", "11" * 4)) == 2
        assert unmatched.ending_in(tx, "second", "11" * 4) == ["cc" * 28 + "11" * 4]
        assert unmatched.ending_in(tx, "second", "aa" * 4) == []

    await database.write(work)


async def test_orders_are_counted_over_the_last_minute(database: Database) -> None:
    def work(tx: Tx) -> list[int]:
        counted = [orders.count_order(tx, KEY, now) for now in (100, 100, 130, 159, 160, 190)]
        assert orders.count_order(tx, OTHER, 160) == 1
        return counted

    assert await database.write(work) == [1, 2, 3, 4, 3, 3]


async def test_what_is_undone_touches_nothing(database: Database) -> None:
    def work(tx: Tx) -> set[str]:
        tx.touch("before")
        with suppress(KeyError), orders.undone_on_error(tx):
            a_machine(tx)
            raise KeyError
        assert machines.by_name(tx, "sintra") is None
        assert tx.touched == {"before"}
        with orders.undone_on_error(tx):
            a_machine(tx)
        return tx.touched

    assert await database.write(work) == {"before", "machines"}
    assert await database.read(machines.names) == ["sintra"]


async def test_a_sender_has_only_so_many_codes(database: Database) -> None:
    def work(tx: Tx) -> list[bool]:
        waiting = orders.Waiting("splits set", {"legs": "x"}, "{}")
        for number in range(25):
            orders.offer(tx, code=f"C{number}", sender=KEY, waiting=waiting, expires_at=1_000 + number, now=100)
        orders.offer(tx, code="C24", sender=OTHER, waiting=waiting, expires_at=1_000, now=100)
        assert orders.take_waiting(tx, KEY, "C24", 1_024) is None
        return [orders.take_waiting(tx, KEY, f"C{number}", 900) is not None for number in (4, 5, 24, 24)]

    assert await database.write(work) == [False, True, True, False]


async def test_housekeeping(database: Database) -> None:
    def work(tx: Tx) -> list[int]:
        waiting = orders.Waiting("splits set", {}, "{}")
        orders.offer(tx, code="A", sender=KEY, waiting=waiting, expires_at=1_000, now=100)
        orders.count_order(tx, KEY, 100_000)
        orders.count_order(tx, OTHER, 90_000)
        tx.insert("counters", name="other", value=1)
        assert orders.stranger_may_be_answered(tx, KEY, 10_000)
        assert not orders.stranger_may_be_answered(tx, KEY, 10_000 + orders.DAY - 1)
        assert orders.stranger_may_be_answered(tx, OTHER, 100_000)
        orders.forget(tx, 100_000)
        counts = []
        for table in ("confirmations", "counters", "strangers"):
            row = tx.one(f"SELECT count(*) AS number FROM {table}")
            counts.append(row["number"] if row else -1)
        return counts

    assert await database.write(work) == [0, 2, 1]
