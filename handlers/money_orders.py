"""Orders that move money, or decide where it goes, are done in two steps: first what would happen and a code, then the
code, within ten minutes, from the same sender. If by then something else would happen, that is shown instead."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from handlers.commands import registry
from handlers.commands.registry import Command
from handlers.context import Context
from ledger.errors import Code, Refusal
from storage import orders
from storage.orders import Waiting

CODE_SECONDS: Final = 600
_LEFT_AFTERWARDS: Final = frozenset({"remaining", "left_sats"})
_LETTERS: Final = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"  # none that reads like another


class Told(dict[str, Any]):
    """A result that is worded as another command's than the one that was given."""

    def __init__(self, wording: str, result: Mapping[str, Any]) -> None:
        super().__init__(result)
        self.wording = wording


def offer(ctx: Context, command: Command, values: dict[str, Any], preview: dict[str, Any], *, changed: bool) -> Told:
    """Keeps the order and gives out its code."""
    code = "".join(secrets.choice(_LETTERS) for _ in range(6))
    waiting = Waiting(command.name, values, compared(preview))
    expires_at = ctx.now + CODE_SECONDS
    orders.offer(ctx.tx, code=code, sender=ctx.sender, waiting=waiting, expires_at=expires_at, now=ctx.now)
    return Told(f"{command.name}?", {"code": code, "expires_at": expires_at, "changed": changed, "preview": preview})


def use_up(ctx: Context, values: Mapping[str, Any]) -> None:
    """A code works once, also where what waited for it was refused and all else of `confirm` is undone."""
    orders.take_waiting(ctx.tx, ctx.sender, str(values.get("code", "")).strip().upper(), ctx.now)


def confirm(ctx: Context, code: str) -> Told:
    """Does what waits for the code, or says what would happen now."""
    waiting = orders.take_waiting(ctx.tx, ctx.sender, code.upper(), ctx.now)
    command = registry.get(waiting.method) if waiting else None
    if waiting is None or command is None or command.preview is None:
        raise Refusal(
            Code.NOT_FOUND, "nothing waits for this code (it lives for 10 min): give the order again", field="code"
        )
    if not command.allowed(ctx.roles):
        raise Refusal(Code.FORBIDDEN, "{command} is not for you any more", command=command.name)
    inner = replace(ctx, command=command.name)
    try:
        params = command.parse(waiting.params)
        preview = command.preview(inner, params)
        if preview is not None and compared(preview) != waiting.preview:
            return offer(inner, command, waiting.params, preview, changed=True)
        return Told(command.name, command.run(inner, params))
    except Refusal as refusal:
        refusal.order = command.name
        raise


def compared(preview: Mapping[str, Any]) -> str:
    """What must be the same when the code comes: all that would happen, not what would be left afterwards."""
    return canonical({key: value for key, value in preview.items() if key not in _LEFT_AFTERWARDS})


def canonical(value: Any) -> str:
    """JSON that is the same for the same content."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
