"""`prefs …`: what people wish for themselves. A language for everybody; where and how sats come for LPs."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ValidationInfo

from handlers.commands import lookup, own
from handlers.commands.fields import FiatAmount, Flag, Params, TargetText
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import LP, OPERATOR, PLATFORM
from ledger.errors import Code, Refusal
from ledger.model import LpMode
from ledger.money import decimal_text, parse_decimal
from storage import lps, people, switches
from storage.lps import Lp

_LANGUAGES: Final = {
    "en": "en", "english": "en", "inglés": "en", "ingles": "en",
    "es": "es", "español": "es", "espanol": "es", "spanish": "es", "castellano": "es",
}  # fmt: skip
_OF_TARGET: Final = ("target", "next_target", "next_target_at")
"""A change of these leaves a line of its own in the audit log."""
_MAX_LIMIT: Final = Decimal(10**12)
_FINEST_LIMIT: Final = 3
"""Digits after the point: the most that a currency has."""
_OF_LPS: Final = frozenset({"target", "mode", "daily_limit", "forward", "forward_to", "notify"})


def _language(value: Any, info: ValidationInfo) -> str:
    found = _LANGUAGES.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise Refusal(Code.BAD_REQUEST, "{field} must be en (English) or es (español)", field=info.field_name)
    return found


class Nothing(Params):
    pass


class PrefsSet(Params):
    language: Annotated[str, BeforeValidator(_language)] | None = None
    target: TargetText | None = None
    mode: Literal["flow", "fixed"] | None = None
    daily_limit: FiatAmount | None = None
    forward: Flag | None = None
    forward_to: TargetText | None = None
    notify: Flag | None = None


def _change(ctx: Context, params: PrefsSet) -> dict[str, Any] | None:
    """Another target is a money order, as it is with join; nothing else is one."""
    _check(ctx, params)
    change = own.change_of_target(ctx, params.target) if params.target is not None else None
    also = {name: value for name, value in params.model_dump(exclude_none=True).items() if name != "target"}
    return {**change, "also": also} if change is not None and also else change


@command("prefs show", roles=OPERATOR | PLATFORM | LP, short=("prefs",), example="prefs show")
def prefs_show(ctx: Context, params: Nothing) -> dict[str, Any]:
    """What you have chosen: your language; as an LP also where your sats go, your mode, your messages."""
    return _shape(ctx)


@command(
    "prefs set",
    roles=OPERATOR | PLATFORM | LP,
    money=_change,
    short=("language", "idioma"),
    places=("language",),
    example="prefs set notify=on",
)
def prefs_set(ctx: Context, params: PrefsSet) -> dict[str, Any]:
    """Changes what is given: language; as an LP also target, mode, daily_limit, notify."""
    _check(ctx, params)
    before = _shape(ctx)
    if params.language is not None:
        people.set_language(ctx.tx, ctx.sender, params.language)
    if params.notify is not None:
        people.set_notified(ctx.tx, ctx.sender, params.notify)
    who = lps.by_pubkey(ctx.tx, ctx.sender)
    if who is not None:
        _set_lp(ctx, who, params)
    after = _shape(ctx)
    changed = [key for key in after if key not in _OF_TARGET and before[key] != after[key]]
    if changed:
        ctx.record(
            who.name if who else None,
            before={key: before[key] for key in changed},
            after={key: after[key] for key in changed},
        )
    return after


def _set_lp(ctx: Context, who: Lp, params: PrefsSet) -> None:
    if params.mode is not None or params.daily_limit is not None:
        mode = LpMode(params.mode) if params.mode is not None else who.mode
        limit = who.daily_limit if params.daily_limit is None else _limit(params.daily_limit)
        lps.set_mode(ctx.tx, who.id, mode, limit)
    if params.target is not None:
        own.set_target(ctx, who, lookup.target(ctx, params.target))


def _check(ctx: Context, params: PrefsSet) -> None:
    """Refuses what can't be, or would be without effect."""
    given = {name for name in params.model_fields_set if getattr(params, name) is not None}
    if not given:
        raise Refusal(Code.BAD_REQUEST, "nothing to change is named, for example: prefs set language=es")
    of_lps = sorted(given & _OF_LPS)
    if of_lps and lps.by_pubkey(ctx.tx, ctx.sender) is None:
        raise Refusal(Code.FORBIDDEN, "{field} is for LPs: you can set your language", field=of_lps[0])
    forwarding = sorted(given & {"forward", "forward_to"})
    if forwarding:
        raise Refusal(
            Code.BAD_STATE,
            "this bot does not forward: join with the address where your sats shall end up",
            field=forwarding[0],
        )
    limit = _limit(params.daily_limit) if params.daily_limit is not None else None
    fixed = "mode" if params.mode == "fixed" else "daily_limit" if limit is not None else None
    if fixed and not ctx.settings.fixed_mode.times:
        raise Refusal(
            Code.BAD_STATE,
            "this bot pays nobody at fixed times, for none are set in its configuration: your mode stays flow",
            field=fixed,
        )
    if params.target is not None:
        lookup.target(ctx, params.target)


def _limit(text: str) -> str | None:
    """Decimal text; None for `none`."""
    if text.lower() == "none":
        return None
    value = parse_decimal(text, "daily_limit")
    if not 1 <= value <= _MAX_LIMIT or value != round(value, _FINEST_LIMIT):
        raise Refusal(
            Code.BAD_REQUEST, "{field} must be an amount from 1 on, such as 500 or 500.50, or none", field="daily_limit"
        )
    return decimal_text(value)


def _shape(ctx: Context) -> dict[str, Any]:
    who = lps.by_pubkey(ctx.tx, ctx.sender)
    targets = dict.fromkeys(_OF_TARGET) if who is None else own.targets(who, ctx.now)
    return {
        **targets,
        "mode": who.mode.value if who else None,
        "daily_limit": who.daily_limit if who else None,
        "frozen": switches.frozen(ctx.tx, who.id) if who else None,
        "forward": False if who else None,
        "forward_to": None,
        "notify": people.notified(ctx.tx, ctx.sender) if who else None,
        "language": people.language(ctx.tx, ctx.sender),
    }
