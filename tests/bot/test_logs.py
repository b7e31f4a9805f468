"""Logs: where they go, how they look, and that no secret is in them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from bot.logs import configure

NSEC = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"
HEX = "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa"
WALLET = f"nostr+walletconnect://{'ab' * 32}?relay=wss://r&secret={HEX}"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def log_everything() -> None:
    log = structlog.get_logger("bot.test")
    log.info("wallet_added", uri=WALLET, secret=HEX, key=HEX.upper(), pubkey="cd" * 32, payment_hash="ef" * 32)
    pasted = f"pasted {NSEC}"
    log.info(pasted, tags=[["x", NSEC]], nested={"deep": {"secret": HEX, "text": WALLET}}, raw=WALLET.encode())
    log.info("object", thing=ValueError(f"bad {NSEC}"))
    logging.getLogger("library").warning("it said %s", WALLET)
    try:
        hidden = HEX
        raise RuntimeError(f"no {NSEC} {len(hidden)}")
    except RuntimeError:
        log.exception("failed")


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_secret_gets_through(form: str) -> None:
    out = io.StringIO()
    configure("debug", "json" if form == "json" else "text", out)
    log_everything()
    said = out.getvalue()
    assert said.count("\n") >= 5
    for secret in (NSEC[5:], HEX, HEX.upper(), "walletconnect:"):
        assert secret not in said
    assert "cd" * 32 in said
    assert "ef" * 32 in said
    assert "RuntimeError" in said
    assert "hidden = HEX" not in said


def test_json_lines_otherwise_text_on_a_terminal() -> None:
    pipe, terminal = io.StringIO(), Terminal()
    configure("info", "auto", pipe)
    structlog.get_logger("bot.test").info("hello", relay="wss://r", n=5)
    line = json.loads(pipe.getvalue())
    assert (line["event"], line["level"], line["logger"], line["n"]) == ("hello", "info", "bot.test", 5)
    assert line["timestamp"].endswith("Z")
    configure("info", "auto", terminal)
    structlog.get_logger("bot.test").info("hello")
    assert not terminal.getvalue().startswith("{")
    assert "hello" in terminal.getvalue()


def test_level_and_libraries() -> None:
    out = io.StringIO()
    configure("warning", "json", out)
    structlog.get_logger("bot.test").info("quiet")
    logging.getLogger("library").info("quiet")
    logging.getLogger("library").error("loud")
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["loud"]
