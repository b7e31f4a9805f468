"""Named moments at which a bot dies: right before and after each commit that matters and each publish.

`arm("sent.after_commit")` makes this process kill itself with SIGKILL at the first such moment. `commit:7` is right
after its seventh commit, whatever that was about.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any
from unittest import mock

from bot.wallets import Wallet
from bot.workers.payer import Payer
from bot.workers.publisher import Publisher
from nwc.client import WalletClient
from storage import attempts, db, legs, outbox, settlements

COMMITS: dict[str, tuple[Any, str]] = {
    "settlement": (settlements, "insert"),
    "accepted": (settlements, "set_proof"),
    "legs": (legs, "insert_plan"),
    "ready": (attempts, "insert_ready"),
    "sent": (attempts, "set_sent"),
    "settled": (attempts, "settle"),
    "receipt": (outbox, "done"),
}
"""What a commit is about: the function that is called in it."""

CALLS: dict[str, tuple[Any, str, bool]] = {
    "fetch.before": (Payer, "_fetch", False),
    "fetch.after": (Payer, "_fetch", True),
    "publish.before": (WalletClient, "publish", False),
    "publish.after": (WalletClient, "publish", True),
    "answer.arrived": (Wallet, "_book_answer", False),
    "answer.booked": (Wallet, "_book_answer", True),
    "receipt.before": (Publisher, "_publish", False),
}
"""An async method, and whether the bot dies before or after it has run."""

POINTS = (
    *(f"{name}.{moment}" for name in COMMITS for moment in ("before_commit", "after_commit")),
    *CALLS,
)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    signal.pause()


def arm(point: str) -> None:
    if point.startswith("commit:"):
        _arm_commits(lambda number, _: number == int(point.removeprefix("commit:")), before=False)
    elif point in CALLS:
        _arm_call(*CALLS[point])
    else:
        name, moment = point.split(".")
        owner, function = COMMITS[name]
        real, called = getattr(owner, function), []

        def noted(*args: Any, **more: Any) -> Any:
            called.append(True)
            return real(*args, **more)

        mock.patch.object(owner, function, noted).start()
        _arm_commits(lambda _, __: bool(called), before=moment == "before_commit")


def _arm_call(owner: Any, name: str, after: bool) -> None:
    real = getattr(owner, name)

    async def dying(*args: Any, **more: Any) -> Any:
        if after:
            await real(*args, **more)
        die()

    mock.patch.object(owner, name, dying).start()


class _Spy:
    """A connection that dies at the commit that is meant."""

    commits = 0

    def __init__(self, raw: Any, meant: Callable[[int, Any], bool], before: bool) -> None:
        self._raw, self._meant, self._before = raw, meant, before

    def execute(self, statement: str, *values: Any) -> Any:
        if statement != "COMMIT":
            return self._raw.execute(statement, *values)
        _Spy.commits += 1
        meant = self._meant(_Spy.commits, self._raw)
        if meant and self._before:
            die()
        done = self._raw.execute(statement)
        if meant:
            die()
        return done

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)


def _arm_commits(meant: Callable[[int, Any], bool], *, before: bool) -> None:
    transact = db._transact

    def spied(raw: Any, batch: Any) -> Any:
        return transact(_Spy(raw, meant, before), batch)  # type: ignore[arg-type]

    mock.patch.object(db, "_transact", spied).start()
