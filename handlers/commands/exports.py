"""`export`: tables of the books to take away, as CSV or JSON, as much as messages hold; the rest is had on the host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import chain
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ValidationInfo

from handlers.commands import lookup
from handlers.commands.fields import Params, When, bad
from handlers.commands.paging import MAX_ANSWER_BYTES, parts, written_bytes
from handlers.commands.registry import command
from handlers.context import Context
from handlers.replies.plain import clean
from handlers.roles import LP, OPERATOR, Role
from handlers.sheets import Csv, json_item, shown_targets
from ledger.errors import Code, Refusal, said
from storage import export as sheets
from storage.export import Row, Wanted

MOST_PARTS: Final = 10
_ROOM: Final = MAX_ANSWER_BYTES - 2_000
"""Of one answer in JSON, for what it carries: the rest is for the sender's id and the facts beside."""
_BETWEEN: Final = 8
"""A comma, or the end of a line, as it is written in the end."""


def _cursor(value: Any, info: ValidationInfo) -> tuple[int, int]:
    found = sheets.cursor_of(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise bad(info, said("the next of a former answer"))
    return found


class Export(Params):
    what: Literal[
        "machines", "lps", "deposits", "settlements", "payments", "attempts", "cash", "journal", "audit", "trail"
    ]
    format: Literal["csv", "json"] = "csv"
    since: When | None = None
    until: When | None = None
    after: Annotated[tuple[int, int], BeforeValidator(_cursor)] | None = None


@command(
    "export",
    roles=OPERATOR | LP,
    apart=True,
    places=("what", "format"),
    example="export payments since=2026-01-01",
)
def export(ctx: Context, params: Export) -> dict[str, Any]:
    """Rows of the books as CSV or JSON, the oldest first; LPs get their own payments and deposits."""
    wanted = Wanted(params.what, params.since, params.until, _whose(ctx, params.what), params.after)
    rows = sheets.rows(ctx.tx, wanted, shown_targets())
    if ctx.in_json:
        return _page(wanted, params.format, rows)
    return _whole(ctx, wanted, params.format, rows)


def _whose(ctx: Context, what: str) -> int | None:
    """The LP to whom the sender is confined; None for an operator."""
    if Role.OPERATOR in ctx.roles:
        return None
    if what not in sheets.OWN_SHEETS:
        raise Refusal(Code.FORBIDDEN, "you can export your own payments and deposits: export payments", field="what")
    return lookup.own_lp(ctx).id


def _page(wanted: Wanted, kind: str, rows: Iterator[Row]) -> dict[str, Any]:
    """As many rows as one answer holds; `next` is where to go on, null at the end."""
    columns = sheets.columns(wanted)
    table = Csv(columns)
    head = [table.head_line()] if kind == "csv" and wanted.after is None else []
    size = _json_bytes(head) + _json_bytes(table.head)
    found: list[Any] = []
    last = None
    for row in rows:
        each = json_item(columns, row.cells) if kind == "json" else table.line(row.cells)
        size += _json_bytes(each) + _BETWEEN
        if size > _ROOM:
            if last is None:
                raise _too_long(wanted, row)
            break
        found.append(each)
        last = row.cursor
    else:
        last = None
    result: dict[str, Any] = {"what": wanted.what, "format": kind, "rows": len(found)}
    if kind == "csv":
        result |= {"columns": table.head, "content": "".join(f"{line}\r\n" for line in [*head, *found])}
    else:
        result["items"] = found
    return {**result, "next": last}


def _whole(ctx: Context, wanted: Wanted, kind: str, rows: Iterator[Row]) -> dict[str, Any]:
    """All rows, for people, in a few messages; refuses what would take more."""
    columns = sheets.columns(wanted)
    table = Csv(columns)
    first = next(rows, None)
    if first is None:
        return {"what": wanted.what, "format": kind, "rows": 0, "content": ""}
    number, size = 0, 0
    lines = [table.head_line()] if kind == "csv" else []
    for row in chain([first], rows):
        if kind == "csv":
            line = clean(table.line(row.cells))
        else:
            line = json.dumps(json_item(columns, row.cells), ensure_ascii=False, separators=(",", ":"))
            line = f"{',' if lines else '['}{line}"
        if written_bytes(line) > _ROOM:
            raise _too_long(wanted, row)
        size += written_bytes(line)
        if size > MOST_PARTS * MAX_ANSWER_BYTES:
            raise _too_much(ctx, wanted, kind)
        lines.append(line)
        number += 1
    text = "\n".join(lines) + ("" if kind == "csv" else "]")
    if len(parts(text, MAX_ANSWER_BYTES)) > MOST_PARTS:
        raise _too_much(ctx, wanted, kind)
    return {"what": wanted.what, "format": kind, "rows": number, "content": text}


def _too_long(wanted: Wanted, row: Row) -> Refusal:
    return Refusal(
        Code.BAD_REQUEST,
        "one row is too long for a message: go on after it with after={next}, or have a file made on the host: "
        "satmachine export {what}",
        field="after",
        extra={"next": row.cursor},
        next=row.cursor,
        what=wanted.what,
    )


def _too_much(ctx: Context, wanted: Wanted, kind: str) -> Refusal:
    number = f"{sheets.count(ctx.tx, wanted):,}"
    if wanted.lp_id is not None:
        return Refusal(
            Code.BAD_REQUEST,
            "that is too much for messages ({rows} rows): narrow it with since= and until=",
            field="since",
            rows=number,
        )
    return Refusal(
        Code.BAD_REQUEST,
        "that is too much for messages ({rows} rows): narrow it with since= and until=, or have a file made on the "
        "host: satmachine export {what} --format {kind} --output FILE",
        field="since",
        rows=number,
        what=wanted.what,
        kind=kind,
    )


def _json_bytes(value: Any) -> int:
    """How much a value takes in an answer, which is a JSON string in the end."""
    return written_bytes(json.dumps(value, ensure_ascii=False))
