"""`make mutants`: each small change of the rules of money must make a test fail. Some 15 minutes on two cores.

    python -m tests.mutants                              all that [tool.mutmut] in pyproject.toml names
    python -m tests.mutants ledger.decide.attempt nwc    those modules and packages alone

Fails where less than 90 % of a module's mutants are killed, where one survives that survivors.toml does not list with
its reason, and where one that it lists does not survive any more.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
LISTED: Final = Path(__file__).with_name("survivors.toml")
COPIED: Final = ("ledger", "nwc", "storage", "tests/ledger", "tests/nwc", "tests/vectors")
"""What mutants and their tests are made of: mutmut works in a copy, so that nobody meets a mutant in the tree."""
LEAST_PERCENT: Final = 90


@dataclass(frozen=True, slots=True, order=True)
class Change:
    """A mutant as a reader sees it: its number moves with every edit, its lines do not."""

    place: str
    """ledger.decide.attempt.state_after"""
    was: str
    becomes: str


@dataclass(slots=True)
class Score:
    made: int = 0
    survivors: list[Change] = field(default_factory=list)

    @property
    def killed(self) -> int:
        return self.made - len(self.survivors)

    @property
    def good(self) -> bool:
        return self.killed * 100 >= self.made * LEAST_PERCENT


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description="How strong the tests are.")
    parser.add_argument("modules", nargs="*", help="ledger.decide.attempt, nwc; none: all")
    modules = parser.parse_args().modules
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, contextlib.chdir(folder):
        _copy(Path(folder))
        if not _run([f"{module}.*" for module in modules]):
            return 1
        scores = _scores(modules)
    listed = {change: why for change, why in read_listed().items() if _within(change.place, modules)}
    wrong = _compare(Counter(change for score in scores.values() for change in score.survivors), listed)
    print(_table(scores))
    print(f"{sum(score.made for score in scores.values()):,} mutants in {time.monotonic() - started:,.0f} s")
    if wrong:
        print("\n".join(["", *wrong]), file=sys.stderr)
    return 1 if wrong or not all(score.good for score in scores.values()) else 0


def read_listed() -> dict[Change, str]:
    """What survives, and why it may."""
    entries = tomllib.loads(LISTED.read_text(encoding="utf-8")).get("survivor", [])
    return {
        Change(entry["in"], entry["was"], becomes): entry["why"] for entry in entries for becomes in entry["becomes"]
    }


def _copy(folder: Path) -> None:
    made = shutil.ignore_patterns("__pycache__")
    for name in COPIED:
        shutil.copytree(ROOT / name, folder / name, ignore=made)
    for name in ("pyproject.toml", "tests/__init__.py", "tests/conftest.py"):
        shutil.copy(ROOT / name, folder / name)


def _run(patterns: list[str]) -> bool:
    """Whether mutmut came to an end; its own report is shown where it did not."""
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(os.cpu_count() or 2), *patterns]
    if sys.stdout.isatty():
        return subprocess.run(command, check=False).returncode == 0
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        print(done.stdout.decode(errors="replace")[-4_000:], file=sys.stderr)
    return done.returncode == 0


def _scores(modules: list[str]) -> dict[str, Score]:
    """By module, from what mutmut left in the folder we are in."""
    from mutmut.mutation.data import SourceFileMutationData  # reads the settings of this folder when it is imported
    from mutmut.mutation.diff_apply import get_diff_for_mutant
    from mutmut.stats import status_by_exit_code
    from mutmut.utils.format_utils import orig_function_and_class_names_from_key

    scores: dict[str, Score] = {}
    for meta in sorted(Path("mutants").rglob("*.meta")):
        path = str(meta.relative_to("mutants").with_suffix(""))
        module = path.removesuffix(".py").replace("/", ".")
        data = SourceFileMutationData(path=path)
        data.load()
        if not data.exit_code_by_key or not _within(module, modules):
            continue
        score = scores[module] = Score(len(data.exit_code_by_key))
        for name, exit_code in data.exit_code_by_key.items():
            if status_by_exit_code[exit_code] in ("killed", "timeout", "segfault"):
                continue
            function, owner = orig_function_and_class_names_from_key(name)
            place = ".".join(filter(None, (module, owner, function)))
            score.survivors.append(_change(place, get_diff_for_mutant(name, path=path)))
    return scores


def _change(place: str, diff: str) -> Change:
    lines = diff.splitlines()[2:]
    was, becomes = ("\n".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+")
    return Change(place, was, becomes)


def _within(place: str, modules: Iterable[str]) -> bool:
    return not modules or any(f"{place}.".startswith(f"{module}.") for module in modules)


def _compare(survived: Counter[Change], listed: Mapping[Change, str]) -> list[str]:
    unlisted, gone = sorted(set(survived) - set(listed)), sorted(set(listed) - set(survived))
    wrong = [f"killed, or not made any more, but in {LISTED.name}: {change}" for change in gone]
    wrong += [f"without a reason in {LISTED.name}: {change}" for change, why in listed.items() if not why.strip()]
    if unlisted:
        wrong.append(f"survived, and not in {LISTED.name}:")
    return wrong + [_entry(change) for change in unlisted]


def _entry(change: Change) -> str:
    """As the file has it; JSON's strings are TOML's."""
    was, becomes = (json.dumps(text, ensure_ascii=False) for text in (change.was, change.becomes))
    return f'\n[[survivor]]\nin = "{change.place}"\nwas = {was}\nbecomes = [{becomes}]\nwhy = ""'


def _table(scores: Mapping[str, Score]) -> str:
    total = Score(
        sum(score.made for score in scores.values()), [each for score in scores.values() for each in score.survivors]
    )
    lines = [f"{'module':36}{'mutants':>9}{'killed':>9}{'survived':>10}{'score':>9}"]
    for name, score in [*scores.items(), ("all", total)]:
        percent = f"{100 * score.killed / score.made:.1f} %" if score.made else "-"
        lines.append(f"{name:36}{score.made:>9,}{score.killed:>9,}{len(score.survivors):>10,}{percent:>9}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
