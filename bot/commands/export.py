"""`satmachine export`: the books as CSV or JSON, beside a running bot or without one, however long they are."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Final, TextIO

from bot.commands.configuration import require_config
from bot.commands.files import creating_private
from bot.commands.terminal import DONE, FAILED, USAGE, Quit, remark
from handlers import commands
from handlers.commands import registry
from handlers.commands.exports import Export
from handlers.sheets import Csv, json_item, shown_targets
from ledger.errors import Refusal
from storage import export as sheets
from storage.db import Tx
from storage.errors import StorageError
from storage.export import Wanted

_LINES_AT_ONCE: Final = 500


def export(
    config_path: Path, what: str, kind: str, *, since: str | None, until: str | None, output: Path | None
) -> int:
    """Exit 0 with everything written, 1 where the database or the file fails, 2 for options that can't work."""
    config = require_config(config_path)
    wanted, as_json = _wanted({"what": what, "format": kind, "since": since, "until": until})
    try:
        with sheets.snapshot(config.database_path) as tx, _opened(output) as file:
            number = _write(file, _pieces(tx, wanted, as_json=as_json))
    except StorageError as error:
        raise Quit(FAILED, f"{config.database_path}: {error}") from None
    except FileExistsError:
        raise Quit(FAILED, f"{output}: there is one already: name a new file, or remove that one") from None
    except BrokenPipeError:
        # Whoever read it has enough. Nothing may be written any more, not even at the end of the process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except OSError as error:
        raise Quit(FAILED, f"{output or 'standard output'} can't be written: {error.strerror}") from None
    if output is not None:
        remark(f"{output}: {number:,} rows of {wanted.what}")
    return DONE


def _wanted(options: dict[str, str | None]) -> tuple[Wanted, bool]:
    """By the same rules as in a message. Raises Quit."""
    assert commands.__all__, "importing them registers them"
    order = registry.get("export")
    assert order is not None
    try:
        found = order.parse({name: value for name, value in options.items() if value is not None})
    except Refusal as refusal:
        raise Quit(USAGE, refusal.message) from None
    assert isinstance(found, Export)
    return Wanted(found.what, found.since, found.until), found.format == "json"


def _opened(output: Path | None) -> AbstractContextManager[TextIO]:
    return nullcontext(sys.stdout) if output is None else creating_private(output)


def _pieces(tx: Tx, wanted: Wanted, *, as_json: bool) -> Iterator[tuple[int, str]]:
    """The text bit by bit, each with the number of rows in it."""
    columns = sheets.columns(wanted)
    table = Csv(columns)
    if not as_json:
        yield 0, f"{table.head_line()}\r\n"
    before = "[\n"
    for row in sheets.rows(tx, wanted, shown_targets()):
        if as_json:
            yield 1, before + json.dumps(json_item(columns, row.cells), ensure_ascii=False)
            before = ",\n"
        else:
            yield 1, f"{table.line(row.cells)}\r\n"
    if as_json:
        yield 0, "[]\n" if before == "[\n" else "\n]\n"


def _write(file: TextIO, pieces: Iterator[tuple[int, str]]) -> int:
    total = 0
    waiting: list[str] = []
    for number, text in pieces:
        total += number
        waiting.append(text)
        if len(waiting) >= _LINES_AT_ONCE:
            file.write("".join(waiting))
            waiting.clear()
    file.write("".join(waiting))
    file.flush()
    return total
