"""The documentation says what is: links lead somewhere, what it names exists, its examples are read by the program."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import typer.main

from bot.cli import app
from bot.config import Config
from bot.config_file import known_keys
from handlers import commands
from handlers.commands import registry
from ledger.errors import Code
from ledger.states import AttemptState, EvidenceClass, LegStatus, SettlementStatus
from tests.handlers.reference import with_table

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]+`", re.MULTILINE | re.DOTALL)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_OF_A_MACHINE = re.compile(r"/(?:work|home|root|tmp|Users)/|\bC:\\")


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    """The fragments under which the headings of a page are found."""
    without_code = _FENCE.sub("", page.read_text(encoding="utf-8"))
    heads = re.findall(r"^#+ (.+)$", without_code, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken_links(page: Path) -> list[str]:
    broken = []
    for link in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        if link.startswith(("https://", "http://")):
            continue
        path, _, fragment = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (fragment and fragment not in anchors(target)):
            broken.append(link)
    return broken


def table(page: str, heading: str) -> list[list[str]]:
    """The rows of the first table under a heading, without its head; code marks are taken off single words."""
    section = re.split(rf"^#+ {re.escape(heading)}$", page, flags=re.MULTILINE)[1]
    section = re.split(r"^#+ ", _FENCE.sub("", section), flags=re.MULTILINE)[0]
    lines = section[section.index("\n|") + 1 :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip().strip("|").split(" | ")] for line in lines[2:]]


def first_words(page: str, heading: str) -> set[str]:
    return {row[0].strip("` ") for row in table(page, heading)}


def spoken_of(text: str) -> Iterable[list[str]]:
    """The words after `satmachine` wherever code names a call of it."""
    for code in _CODE.findall(text):
        for call in re.findall(r"(?:^|[\s`/\"])satmachine ((?:[\w.-]+ ?)+)", code):
            yield call.split()


def subcommands(group: Any = None, *above: str) -> dict[tuple[str, ...], set[str]]:
    """Every command of the command line with its options."""
    found: dict[tuple[str, ...], set[str]] = {}
    top: Any = typer.main.get_command(app) if group is None else group
    for name, command in top.commands.items():
        if hasattr(command, "commands"):
            found |= subcommands(command, *above, name)
        else:
            found[(*above, name)] = {option for each in command.params for option in each.opts}
    return found


# --- links, paths, commands -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str) -> None:
    assert broken_links(ROOT / name) == []


def test_a_broken_link_is_noticed(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One head\n[a](gone.md) [b](#one-head) [c](#two) [d](https://example.com)\n")
    assert broken_links(page) == ["gone.md", "#two"]


@pytest.mark.parametrize("name", NAMES)
def test_no_page_names_a_path_of_a_machine(name: str) -> None:
    assert _OF_A_MACHINE.findall(text_of(name)) == []


def test_there_are_as_many_pages_as_the_readme_promises() -> None:
    linked = set(_LINK.findall(text_of("README.md")))
    assert {str(page.relative_to(ROOT)) for page in PAGES if page.name != "README.md"} <= linked


@pytest.mark.parametrize("name", NAMES)
def test_subcommands_exist(name: str) -> None:
    known = subcommands()
    groups = {names[0] for names in known if len(names) > 1}
    for words in spoken_of(text_of(name)):
        if words[0] in groups:
            assert tuple(words[:2]) in known or len(words) == 1, words
        else:
            assert (words[0],) in known, words


def test_an_unknown_subcommand_would_be_noticed() -> None:
    assert [
        words[0] for words in spoken_of("say `satmachine fly --high`, or\n```sh\n.venv/bin/satmachine swim\n```\n")
    ] == [
        "fly",
        "swim",
    ]


def test_running_lists_every_subcommand_and_demo_option() -> None:
    page = text_of("docs/running.md")
    known = subcommands()
    listed = {tuple(row[0].strip("`").split(' "')[0].split()) for row in table(page, "`satmachine`")}
    assert listed == set(known)
    options = {row[0].strip("`").split()[0] for row in table(page, "The demo with your own parts")}
    assert options == known[("demo",)] - {"--config"}


def test_options_exist() -> None:
    page = text_of("docs/running.md")
    known = set().union(*subcommands().values()) | {"--help"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", page)) <= known


def test_make_targets_exist() -> None:
    targets = set(re.findall(r"^([.\w]+):", text_of("Makefile"), re.MULTILINE))
    named = {
        target
        for page in NAMES
        for code in _CODE.findall(text_of(page))
        for target in re.findall(r"\bmake ([.a-z]+)\b", code)
    }
    assert {"demo", "test", "check", "docs"} <= named <= targets


# --- settings ---------------------------------------------------------------------------------------------------------


def test_running_lists_every_setting_with_its_default() -> None:
    rows = {row[0].strip("`"): row[1] for row in table(text_of("docs/running.md"), "config.toml")}
    assert set(rows) == set(known_keys(Config))
    shipped = tomllib.loads(text_of("config.toml"))
    shipped["wallets"] = {"NAME": shipped["wallets"]["main"]}
    for key, default in rows.items():
        value: Any = shipped
        for part in key.split("."):
            value = value[part]
        if default != "yours":
            assert tomllib.loads(f"value = {default.strip('`')}")["value"] == value, key


# --- states, codes, examples ------------------------------------------------------------------------------------------


def test_payouts_names_every_state() -> None:
    page = text_of("docs/payouts.md")
    assert first_words(page, "States of an attempt") == {state.value for state in AttemptState}
    assert first_words(page, "States of a leg") == {status.value for status in LegStatus}
    assert first_words(page, "States of a settlement") == {status.value for status in SettlementStatus}
    evidence = {row[1].strip("`") for row in table(page, "What counts as evidence")}
    assert evidence == {cls.value for cls in EvidenceClass}


def test_protocol_names_every_error_code() -> None:
    section = text_of("docs/protocol.md").split("## Error codes")[1]
    listed = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    reserved = re.findall(r"`(\w+)`", section.split("Reserved, ")[1])
    assert len(listed) == len(set(listed))
    assert {*listed, *reserved} == {code.value for code in Code}
    sources = [path.read_text() for package in ("bot", "handlers", "ledger") for path in (ROOT / package).rglob("*.py")]
    given = {name for source in sources for name in re.findall(r"\bCode\.([A-Z_]+)\b", source)}
    assert {code.value for code in Code if code.name in given} == set(listed)


def test_commands_page_is_not_stale() -> None:
    assert commands.__all__
    page = text_of("docs/commands.md")
    assert page == with_table(page), "make docs"
    for short in (short for each in registry.every_command() for short in each.short):
        assert f"`{short.split(' ')[0]}" in page, f"the short form {short} is not told"


@pytest.mark.parametrize("name", NAMES)
def test_json_examples_can_be_read(name: str) -> None:
    for kind, block in _FENCE.findall(text_of(name)):
        if kind == "json":
            json.loads(block)
