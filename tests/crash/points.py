"""Crash points: the moments right before and right after each effect of tests/crash/sites.py.

`arm("pay.sent:before")` makes this process kill itself with SIGKILL at the first such moment. `commit:7` is right
after its seventh commit, whatever that was about. Around a commit "before" is when everything is written and nothing
durable; "after" is when it is durable and nobody has been told.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any
from unittest import mock

from bot.alerts import Service
from bot.payees import PayeeWallets
from bot.relays import Relays
from bot.wallet_wire import WalletWire
from nwc.client import WalletClient
from nwc.fetch import GuardedHttp
from storage import db
from storage.db import Database
from tests.crash.sites import COMMIT, ROOT, WRITES_NOTHING, Found, place

OWNERS: dict[str, tuple[type, ...]] = {
    COMMIT: (Database,),
    "publish": (Relays, WalletWire, WalletClient),
    "publish_to": (Relays,),
    "get_json": (GuardedHttp,),
    "deliver": (Service,),
    "lookup_invoice": (WalletClient,),
    "list_transactions": (WalletClient,),
    "get_balance": (WalletClient,),
    "get_info": (WalletClient,),
    "make_invoice": (WalletClient, PayeeWallets),
}
"""Who has each effect."""

LAST_WORDS = b"dies at a crash point\n"
"""On standard error: a process that ended in another way has not said them."""


def die() -> None:
    os.write(2, LAST_WORDS)
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def arm(point: str) -> None:
    name, moment = point.rsplit(":", 1)
    if name == "commit":
        _arm_commits(lambda number: number == int(moment), before=False)
        return
    site, meant = place(name)
    wrap = _dying(moment == "before")
    if site.where[2] == COMMIT:
        done: list[bool] = []
        wrap = _noting(done, even_empty=name in WRITES_NOTHING)
        _arm_commits(lambda _: bool(done), before=moment == "before")
    for owner in OWNERS[site.where[2]]:
        real = getattr(owner, site.where[2])
        mock.patch.object(
            owner, site.where[2], _Watched(real, lambda frame: _is_at(frame, site) and meant(frame), wrap)
        ).start()


class _Watched:
    """A method in whose stead another is given where it is taken at the place that is watched."""

    def __init__(self, real: Any, here: Callable[[FrameType], bool], wrap: Callable[[Any], Any]) -> None:
        self._real, self._here, self._wrap = real, here, wrap

    def __get__(self, instance: Any, owner: type) -> Any:
        method = self._real.__get__(instance, owner)
        return self._wrap(method) if self._here(sys._getframe(1)) else method


def _is_at(frame: FrameType, site: Found) -> bool:
    """Whether this frame is just there."""
    if frame.f_code.co_filename != str(ROOT / site.where[0]):
        return False
    _, end_line, _, end_column = list(frame.f_code.co_positions())[frame.f_lasti // 2]
    return (end_line, end_column) == site.ends_at


def _dying(before: bool) -> Callable[[Any], Any]:
    """For a call: right before it, or right after, however it ends."""

    def wrap(method: Any) -> Any:
        async def called(*args: Any, **more: Any) -> Any:
            try:
                return None if before else await method(*args, **more)
            finally:
                die()

        return called

    return wrap


def _noting(done: list[bool], *, even_empty: bool) -> Callable[[Any], Any]:
    """For a write: that its work is done, and waits for the commit."""

    def wrap(write: Any) -> Any:
        def written(work: Callable[[db.Tx], Any]) -> Any:
            def noted(tx: db.Tx) -> Any:
                changes = tx.sql.total_changes
                result = work(tx)
                if even_empty or tx.sql.total_changes > changes:
                    done.append(True)
                return result

            return write(noted)

        return written

    return wrap


class _Spy:
    """A connection that dies at the commit that is meant."""

    commits = 0

    def __init__(self, raw: Any, meant: Callable[[int], bool], before: bool) -> None:
        self._raw, self._meant, self._before = raw, meant, before

    def execute(self, statement: str, *values: Any) -> Any:
        if statement != "COMMIT":
            return self._raw.execute(statement, *values)
        _Spy.commits += 1
        meant = self._meant(_Spy.commits)
        if meant and self._before:
            die()
        done = self._raw.execute(statement)
        if meant:
            die()
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def _arm_commits(meant: Callable[[int], bool], *, before: bool) -> None:
    transact = db._transact

    def spied(raw: Any, *rest: Any) -> Any:
        return transact(_Spy(raw, meant, before), *rest)  # type: ignore[arg-type]

    mock.patch.object(db, "_transact", spied).start()
