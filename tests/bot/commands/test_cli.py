"""What holds for every command: exit codes, one sentence instead of a traceback, a fast start."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from bot import cli
from bot.commands import template
from tests.bot.commands.conftest import ROOT, Called, Place, environment, run

COMMANDS = ["run", "check", "verify", "export", "tell", "init", "demo", "version", "atm"]
NEED_CONFIGURATION = [
    ["run"],
    ["check"],
    ["verify"],
    ["export", "payments"],
    ["tell", "status"],
    ["atm", "settle", "--key", "env:MACHINE", "--principal-sats", "100", "--fee-sats", "3", "--currency", "GTQ",
     "--exchange-rate", "50", "--payment-hash", "ab" * 32],
]  # fmt: skip
SECRET = "7f" * 32


async def test_version() -> None:
    told = await run("version")
    assert (told.code, told.out, told.err) == (0, f"satmachine {version('satmachine')}\n", "")
    assert (await run("version", "--json")).json == {"name": "satmachine", "version": version("satmachine")}


async def test_only_commands_that_work_are_offered() -> None:
    told = await run("--help")
    offered = told.out.split("Commands:")[1]
    assert {line.split()[0] for line in offered.splitlines() if line.strip()} == set(COMMANDS)
    assert "settle" in (await run("atm", "--help")).out


@pytest.mark.parametrize("wrong", [["nonsense"], ["tell"], ["check", "--nonsense"], ["tell", "x", "--timeout", "soon"]])
def test_wrong_usage_is_2_and_nothing_on_standard_output(wrong: list[str], call: Called) -> None:
    told = call(*wrong)
    assert (told.code, told.out) == (2, "")
    assert "Error: " in told.err


@pytest.mark.parametrize("command", NEED_CONFIGURATION, ids=lambda command: " ".join(command[:2]))
def test_without_a_configuration_everything_names_init_and_demo(
    command: list[str], tmp_path: Path, call: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MACHINE", SECRET)
    told = call(*command)
    assert (told.code, told.out) == (2, "")
    assert all(word in told.err for word in ("config.toml", "satmachine init", "satmachine demo"))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("command", NEED_CONFIGURATION, ids=lambda command: " ".join(command[:2]))
def test_with_the_shipped_example_everything_names_the_key(
    command: list[str], tmp_path: Path, call: Called, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MACHINE", SECRET)
    (tmp_path / "config.toml").write_bytes((ROOT / "config.toml").read_bytes())
    told = call(*command)
    assert (told.code, told.out) == (2, "")
    assert all(word in told.err for word in ("operator.nsec", "satmachine init", "satmachine demo"))


async def test_run_without_its_key_is_2(place: Place) -> None:
    (place.directory / "operator.nsec").unlink()
    told = await run("run", "--config", place.config)
    assert (told.code, told.out) == (2, "")
    assert "identity.key" in told.err
    assert "operator.nsec" in told.err


def test_the_shipped_example_is_the_template() -> None:
    assert (ROOT / "config.toml").read_text() == template.render(template.EXAMPLE)


def test_a_bug_is_one_sentence_without_what_was_given(monkeypatch: pytest.MonkeyPatch, call: Called) -> None:
    def broken(**_: object) -> int:
        raise KeyError(SECRET)

    monkeypatch.setattr("bot.commands.version.show", broken)
    monkeypatch.delenv(cli.TRACEBACK, raising=False)
    told = call("version")
    assert (told.code, told.out) == (1, "")
    assert len(told.err.splitlines()) == 1
    assert "KeyError in test_cli.py" in told.err
    assert SECRET not in told.err
    monkeypatch.setenv(cli.TRACEBACK, "1")
    assert "Traceback" in call("version").err


def test_the_command_line_starts_without_what_commands_need() -> None:
    heavy = ["nostr_sdk", "pydantic", "httpx", "aiosqlite", "rich", "structlog"]
    code = f"import sys, bot.cli; print([name for name in {heavy} if name in sys.modules])"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert ended.stdout == "[]\n"


def test_a_closed_pipe_is_no_bug() -> None:
    ended = subprocess.run(
        f"{sys.executable} -m bot --help | true", shell=True, cwd=ROOT, env=environment(), capture_output=True,
        text=True, timeout=30, check=False,
    )  # fmt: skip
    assert ended.stderr == ""


async def test_shells_can_complete() -> None:
    told = await run(_SATMACHINE_COMPLETE="complete_bash", COMP_WORDS="satmachine ver", COMP_CWORD="1")
    assert set(told.out.split()) == {"verify", "version"}
