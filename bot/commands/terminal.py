"""What commands say and how they end: answers to standard output, everything else to standard error.

Exit codes are the same for all of them (docs/running.md). A command that can't go on raises `Quit` with one sentence.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any, Final, Literal

import typer

DONE: Final = 0
FAILED: Final = 1
USAGE: Final = 2
"""Wrong usage or configuration."""
NO_ANSWER: Final = 3


MAX_LINE_CHARS: Final = 10_000


class Quit(Exception):
    """Ends the command with this exit code; the message is for standard error and names the way out."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def answer(text: str) -> None:
    """To standard output, at once: somebody may be reading it through a pipe."""
    typer.echo(text)
    sys.stdout.flush()


def answer_json(value: Any) -> None:
    answer(json.dumps(value, indent=2, ensure_ascii=False))


def remark(text: str) -> None:
    """To standard error."""
    typer.echo(text, err=True)


def log_to_stderr(level: Literal["warning", "error"] = "warning") -> None:
    """What the parts that a command uses have to say goes where it disturbs no answer."""
    from bot import logs

    logs.configure(level, "text")


def ask(question: str, default: str) -> str:
    """One line from standard input; the question goes to standard error. Raises Quit where the input has ended."""
    shown = f"{question} [{default}]: " if default else f"{question}: "
    typer.echo(shown, nl=False, err=True)
    line = sys.stdin.readline(MAX_LINE_CHARS)
    if not line:
        raise Quit(
            USAGE, "\nno answer, so nothing was done: give it as an option (--help), or --yes to be asked nothing"
        )
    return line.strip() or default


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under their names, apart by two spaces: good to read and to cut."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in (head, *rows))
    return "\n".join(line.rstrip() for line in lines)


def show_qr(text: str) -> None:
    """A QR code for somebody who sits in front of a terminal; nothing in a pipe."""
    if not sys.stdout.isatty():
        return
    import segno

    segno.make(text, error="m").terminal(out=sys.stdout, compact=True)
    sys.stdout.flush()
