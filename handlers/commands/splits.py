"""`splits …`: how the operator fee is shared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator

from handlers.commands import lookup, shapes
from handlers.commands.fields import NAME_CHARS, Key, Params
from handlers.commands.grammar import tokens
from handlers.commands.registry import command
from handlers.context import Context
from handlers.replies.plain import clean
from handlers.roles import OPERATOR
from ledger.errors import Code, Refusal
from ledger.model import Machine, SplitRule, SplitShare
from ledger.money import PPM, fraction_text, parse_fraction
from storage import splits

_MOST = 50
_EXAMPLE = '60% ana@example.com "Ana" + 40% ops@example.com "Ops"'


@dataclass(frozen=True, slots=True)
class Wanted:
    """One share as it was written."""

    fraction_ppm: int
    target: str = field(repr=False)
    label: str | None


def _wanted(value: Any) -> tuple[Wanted, ...]:
    found = _from_text(value) if isinstance(value, str) else _from_list(value)
    if not 1 <= len(found) <= _MOST:
        raise Refusal(
            Code.BAD_REQUEST,
            "legs must be 1 to {most} shares, such as {example}",
            field="legs",
            most=_MOST,
            example=_EXAMPLE,
        )
    if any(share.fraction_ppm == 0 for share in found):
        raise Refusal(Code.BAD_REQUEST, "legs: no share may be 0", field="legs")
    total = sum(share.fraction_ppm for share in found)
    if total != PPM:
        raise Refusal(
            Code.BAD_REQUEST,
            "legs must add up to exactly 1 (100%), these add up to {total}",
            field="legs",
            total=fraction_text(total),
        )
    return found


def _from_text(text: str) -> tuple[Wanted, ...]:
    """`60% ana@example.com "Ana" + 40% npub1… "Ops"`."""
    parts: list[list[str]] = [[]]
    for token in tokens(text):
        if token.raw == "+" and token.key is None:
            parts.append([])
        else:
            parts[-1].append(f"{token.key}={token.text}" if token.key else token.text)
    if any(len(part) < 2 for part in parts):
        raise Refusal(Code.BAD_REQUEST, "legs must be written like {example}", field="legs", example=_EXAMPLE)
    return tuple(_share(part[0], part[1], " ".join(part[2:])) for part in parts)


def _from_list(value: Any) -> tuple[Wanted, ...]:
    """`[{"fraction": "0.6", "target": "…", "label": "Ana"}]`."""
    if not isinstance(value, list) or not all(isinstance(each, Mapping) for each in value):
        raise Refusal(Code.BAD_REQUEST, "legs must be a list of fraction, target and label", field="legs")
    found = []
    for each in value:
        fraction, target, label = each.get("fraction"), each.get("target"), each.get("label")
        known = each.keys() <= {"fraction", "target", "label"}
        number = isinstance(fraction, str | int | Decimal) and not isinstance(fraction, bool)
        if not known or not number or not isinstance(target, str) or not isinstance(label, str | None):
            raise Refusal(Code.BAD_REQUEST, "legs: each has a fraction, a target and maybe a label", field="legs")
        found.append(_share(str(fraction), target, label or ""))
    return tuple(found)


def _share(fraction: str, target: str, label: str) -> Wanted:
    return Wanted(parse_fraction(fraction.strip(), "legs"), target, clean(label)[:NAME_CHARS] or None)


class SplitsSet(Params):
    legs: Annotated[tuple[Wanted, ...], BeforeValidator(_wanted)]
    machine: Key | None = None


class SplitsShow(Params):
    machine: Key | None = None


def _preview(ctx: Context, params: SplitsSet) -> dict[str, Any]:
    """The rule as it would be, and the one that it replaces."""
    at, shares = _checked(ctx, params)
    would_be = SplitRule(0, at.id if at else None, shares)
    now = splits.own(ctx.tx, at.id if at else None)
    name = at.name if at else None
    return {**shapes.split_rule(would_be, name), "replaces": shapes.split_rule(now, name)["legs"]}


@command(
    "splits set",
    roles=OPERATOR,
    money=_preview,
    rest="legs",
    example=f"splits set machine=sintra {_EXAMPLE}",
)
def splits_set(ctx: Context, params: SplitsSet) -> dict[str, Any]:
    """Sets who gets the operator fee: for one machine, or for every machine without a rule of its own."""
    at, shares = _checked(ctx, params)
    machine_id, name = (at.id, at.name) if at else (None, None)
    before = splits.own(ctx.tx, machine_id)
    rule = splits.replace(ctx.tx, machine_id, shares, ctx.now)
    result = shapes.split_rule(rule, name)
    ctx.record(name or "default splits", before=shapes.split_rule(before, name)["legs"], after=result["legs"])
    return result


@command("splits show", roles=OPERATOR, short=("splits",), places=("machine",), example="splits show sintra")
def splits_show(ctx: Context, params: SplitsShow) -> dict[str, Any]:
    """The rule that is in force, and where it comes from."""
    if params.machine is None:
        return shapes.split_rule(splits.own(ctx.tx, None), None)
    at = lookup.machine(ctx, params.machine)
    return shapes.split_rule(splits.effective(ctx.tx, at.id), at.name)


@command("splits clear", roles=OPERATOR, changes=True, places=("machine",), example="splits clear sintra")
def splits_clear(ctx: Context, params: SplitsShow) -> dict[str, Any]:
    """Takes a rule away: a machine's own, so that the default is in force there, or the default."""
    at = lookup.machine(ctx, params.machine) if params.machine else None
    machine_id, name = (at.id, at.name) if at else (None, None)
    before = splits.own(ctx.tx, machine_id)
    if before is None and name is not None:
        raise Refusal(
            Code.NOT_FOUND, "{machine} has no rule of its own: splits show {machine}", field="machine", machine=name
        )
    if before is None:
        raise Refusal(Code.NOT_FOUND, "no default rule is set: splits show")
    splits.clear(ctx.tx, machine_id)
    rule = splits.effective(ctx.tx, machine_id) if machine_id is not None else None
    result = {**shapes.split_rule(rule, name), "kept_at": splits.without_rule(ctx.tx)}
    ctx.record(name or "default splits", before=shapes.split_rule(before, name)["legs"], after=result["legs"])
    return result


def _checked(ctx: Context, params: SplitsSet) -> tuple[Machine | None, tuple[SplitShare, ...]]:
    at = lookup.machine(ctx, params.machine) if params.machine else None
    shares = []
    for wanted in params.legs:
        target = lookup.target(ctx, wanted.target, "legs")
        shares.append(SplitShare(wanted.fraction_ppm, target.value, wanted.label or clean(target.shown)[:NAME_CHARS]))
    return at, tuple(shares)
