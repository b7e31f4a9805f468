"""`satmachine verify`: the books against their own rules, beside a running bot or without one."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bot.commands.configuration import require_config
from bot.commands.terminal import DONE, FAILED, Quit, answer, answer_json, table
from storage.errors import StorageError
from storage.verify import Report, verify_file

_COUNTED: Final = ("settlements", "legs", "attempts", "deposits", "enrolments", "journal", "audit")


def verify(config_path: Path, *, as_json: bool) -> int:
    """Exit 0 when everything agrees, 1 with what differs."""
    config = require_config(config_path)
    try:
        report = verify_file(config.database_path)
    except StorageError as error:
        raise Quit(FAILED, f"{config.database_path}: {error}") from None
    counts = {name: report.counts.get(name, 0) for name in _COUNTED}
    if as_json:
        told = [{"name": each.name, "ref": each.ref, "detail": each.detail} for each in report.violations]
        answer_json({"ok": report.clean, "checked": counts, "violations": told, "more": report.more})
    else:
        answer(_text(report, counts))
    return DONE if report.clean else FAILED


def _text(report: Report, counts: dict[str, int]) -> str:
    checked = ", ".join(f"{number:,} {name}" for name, number in counts.items())
    if report.clean:
        return f"The books agree: {checked}."
    rows = [(each.name, each.ref, each.detail) for each in report.violations]
    lines = [table(("what", "where", "detail"), rows)]
    if report.more:
        lines.append(f"and {report.more:,} more")
    return "\n".join([*lines, f"The books do not agree. Looked at: {checked}."])
