"""`satmachine demo` as a reader runs it: a process, watched from outside, with the real bot below it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import secrets
import signal
import struct
import sys
import termios
from pathlib import Path
from urllib.parse import quote

import pytest

from bot.clock import SystemClock
from bot.demo.actor import Actor
from bot.demo.bot_process import BotProcess
from bot.demo.relay import EmbeddedRelay
from bot.nostr import Keys, parse_public_key
from tests.bot.demo.newcomer import Newcomer, chapter, shown_to_visitors
from tests.bot.demo.running import demo
from tests.handlers.guides import turns
from tests.parts.node import alby_wallet
from tests.parts.world import World

FAST = ("--speed", "100")


def nothing_left(directory: Path) -> bool:
    """Whether the temporary directory of the demo is gone."""
    return not list(directory.iterdir())


def only_child(pid: int) -> int:
    """The bot below a demo."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return int(child)


async def test_it_runs_to_the_end_and_every_book_balances(tmp_path: Path) -> None:
    # What is set for another bot on this machine must not reach the demo's.
    async with demo(tmp_path, "--once", "--transactions", "3", *FAST, SATMACHINE__POLICY__NONSENSE="1") as running:
        await running.until(lambda line: " sats → " in line)
        assert not any("Summary" in line for line in running.lines)
        assert await running.ended() == 0
        assert await running.errors() == ""
    shown = "\n".join(running.lines)
    assert "  3,000 sats → platform (S1)" in running.lines
    assert "S1 is processed: platform 3,000 sats, operator 5,000 sats, LPs 100,000 sats" in running.lines
    assert "a customer put in 1,000 GTQ and got 46,000 sats" in shown
    assert "  settlements: 3" in running.lines
    assert "  legs: 19" in running.lines
    assert "  platform fee: 5,400 sats" in running.lines
    assert "  cash in sintra: 2,600 GTQ dispensed, 0 refilled, 2,800 left, 0 in the box" in running.lines
    assert "  cash in plaza: 0 GTQ dispensed, 0 refilled, 2,000 left, 1,000 in the box" in running.lines
    assert running.lines[-1] == "Every book balances."
    assert nothing_left(tmp_path)


async def test_it_uses_the_relay_that_it_is_given(tmp_path: Path) -> None:
    relay = EmbeddedRelay()
    url = await relay.start()
    async with demo(tmp_path, "--once", "--transactions", "1", "--relay", url, *FAST) as running:
        assert await running.ended() == 0
    assert f"relay {url}" in running.lines
    assert "  settlements: 1" in running.lines
    await relay.stop()


async def test_a_newcomer_follows_the_guide(tmp_path: Path) -> None:
    """Every message of the first chapter of the operator guide, typed by two people into a running demo: twelve, each
    answered as the guide says. Ctrl-C then ends it, and the books are compared with the newcomer's part in them."""
    async with demo(tmp_path, "--transactions", "1") as running:
        newcomer = Newcomer(running, await shown_to_visitors(running))
        async with newcomer.people():
            for turn in turns(chapter("First steps, in twelve messages")):
                await newcomer.does(turn)
        assert newcomer.messages == 12
        running.process.send_signal(signal.SIGINT)
        assert await running.ended(20) == 0, running.lines[-20:]
        assert await running.errors() == ""
    assert "  paid to you: 100,000 sats in 2 payments" in running.lines
    assert running.lines[-1] == "Every book balances."
    assert nothing_left(tmp_path)


async def test_a_machine_that_runs_low_is_refilled(tmp_path: Path) -> None:
    """A visitor says that fewer notes are few: the bot gives the alarm, an LP brings cash, the machine takes the new
    counts, and the alarm is over. At the end the cash ledger agrees with what is really there."""
    async with demo(tmp_path, "--transactions", "1", *FAST) as running:
        shown = await shown_to_visitors(running)
        keys, bot = Keys.parse(shown["Operator"]), parse_public_key(shown["bot"])
        async with Actor("visitor", bot, shown["relay"], SystemClock(), keys=keys) as visitor:
            await running.until(lambda line: line.startswith("All 1 served"))
            await visitor.write("threshold set plaza cash_low_notes=15")
            await running.until(lambda line: line == "plaza: a bay is low")
            await running.until(lambda line: line.startswith("plaza took what the bot says of its cassettes: "))
            assert running.lines[-1].endswith(": 50 × 20, 20 × 100")
            await visitor.write("threshold set plaza silent_minutes=60")  # whatever is said of thresholds has it look
            await running.until(lambda line: line == "plaza: no bay is low any more")
        running.process.send_signal(signal.SIGINT)
        assert await running.ended(20) == 0, running.lines[-20:]
    assert "  cash in plaza: 0 GTQ dispensed, 1,000 refilled, 3,000 left, 0 in the box" in running.lines
    assert running.lines[-1] == "Every book balances."


async def test_sigterm_ends_it_before_it_is_ready(tmp_path: Path) -> None:
    async with demo(tmp_path) as running:
        await running.until(lambda line: line.startswith("bot "))
        running.process.send_signal(signal.SIGTERM)
        assert await running.ended(8) == 0


async def test_a_bot_that_dies_is_told_with_the_end_of_its_log(tmp_path: Path) -> None:
    async with demo(tmp_path, "--once", "--transactions", "50") as running:
        await running.until(lambda line: " sats → " in line)
        os.kill(only_child(running.process.pid), signal.SIGKILL)
        assert await running.ended(20) == 1
        errors = await running.errors()
    assert "the bot ended with exit code -9" in errors
    assert "ready" in errors
    assert "Traceback" not in errors


async def test_a_taken_port_is_told(tmp_path: Path) -> None:
    relay = EmbeddedRelay()
    await relay.start()
    async with demo(tmp_path, "--once", "--port", str(relay.port)) as running:
        assert await running.ended() == 1
        assert f"no relay at port {relay.port}" in await running.errors()
    await relay.stop()


@pytest.mark.interop
async def test_somebody_elses_wallet_and_payees(tmp_path: Path) -> None:
    """Alby's wallet service is the machine's, a wallet of the world the customer's, payees are on loopback."""
    wallet_secret, client_secret = secrets.token_hex(32), secrets.token_hex(32)
    async with World() as world:
        await world.call("account", name="till", balance_msat=100_000_000)
        customer = await world.call("wallet", account="customer", balance_msat=400_000_000)
        payees = [await world.call("address", user=user) for user in ("lp-one", "lp-two", "fees")]
        before = await world.call("balances")
        peer = alby_wallet(
            relay=world.relay_url,
            control=world.control_url,
            account="till",
            wallet_secret=wallet_secret,
            client_pubkey=Keys.parse(client_secret).public_key,
        )
        async with peer:
            assert await peer.line() == {"ready": True}
            pubkey = Keys.parse(wallet_secret).public_key
            uri = f"nostr+walletconnect://{pubkey}?relay={quote(world.relay_url, safe='')}&secret={client_secret}"
            arguments = ["--once", "--transactions", "3", *FAST, "--nwc", "env:TILL", "--customer-nwc", "env:CUSTOMER"]
            arguments += ["--lp", payees[0], "--lp", payees[1], "--platform", payees[2]]
            async with demo(tmp_path, *arguments, TILL=uri, CUSTOMER=customer["uri"]) as running:
                assert await running.ended() == 0, (running.lines, await running.errors())
        after = await world.call("balances")
        got = {name: (after[name] - before.get(name, 0)) // 1_000 for name in after}
        assert got["lp-one"] + got["lp-two"] == 130_000
        assert got["fees"] == 5_400 + 9_000
        assert got["customer"] == -108_000 + 46_000 - 32_400
        assert got["till"] == -50_000
        assert await world.call("audit") == []
    assert "Every book balances." in running.lines
    assert client_secret not in "\n".join(running.lines)


async def test_a_visitor_pays_the_invoices_of_somebody_elses_wallet(tmp_path: Path) -> None:
    async with World() as world:
        till = await world.call("wallet", account="till", balance_msat=1_000_000)
        payees = [await world.call("address", user=user) for user in ("lp-one", "fees")]
        await world.call("account", name="visitor", balance_msat=400_000_000)
        arguments = ["--once", "--transactions", "2", *FAST, "--nwc", "env:TILL"]
        arguments += ["--lp", payees[0], "--platform", payees[1]]
        async with demo(tmp_path, *arguments, TILL=till["uri"]) as running:
            for _ in range(2):
                invoice = await running.until(lambda line: line.startswith("lnbcrt"))
                await world.call("pay", payer="visitor", bolt11=invoice)
            assert await running.ended() == 0, (running.lines, await running.errors())
    assert "Every book balances." in running.lines


async def test_a_payment_that_nothing_explains_is_told_by_the_exit_code(tmp_path: Path) -> None:
    async with World() as world:
        till = await world.call("wallet", account="till", balance_msat=1_000_000)
        payees = [await world.call("address", user=user) for user in ("lp-one", "fees")]
        await world.call("account", name="visitor", balance_msat=400_000_000)
        arguments = ["--once", "--transactions", "1", *FAST, "--nwc", "env:TILL"]
        arguments += ["--lp", payees[0], "--platform", payees[1]]
        async with demo(tmp_path, *arguments, TILL=till["uri"]) as running:
            invoice = await running.until(lambda line: line.startswith("lnbcrt"))
            theft = await world.call("invoice", account="visitor", amount_msat=5_000)
            await world.call("pay", payer="till", bolt11=theft["bolt11"])
            await world.call("pay", payer="visitor", bolt11=invoice)
            assert await running.ended() == 1
    assert "The books do not balance:" in running.lines
    assert any(line.startswith("  5000 msat went to somebody and nothing explains it") for line in running.lines)


async def test_books_that_can_not_be_verified_are_a_difference(tmp_path: Path) -> None:
    keys = Keys.generate()
    bot = BotProcess(
        tmp_path,
        keys=keys,
        relay="ws://127.0.0.1:9",
        wallets={"main": f"nostr+walletconnect://{keys.public_key}?relay=ws://127.0.0.1:9&secret={'1' * 64}"},
        operators=[keys.public_key],
        platform=keys.public_key,
        network="regtest",
        allow_private_targets=True,
    )
    assert "database" in (await bot.verify() or "").lower()
    assert await bot.stop(1) == 0


async def test_a_terminal_gets_the_live_view_and_then_the_summary(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 45, 140, 0, 0))
    shown = bytearray()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "demo", "--once", "--transactions", "2", *FAST),
        env=os.environ | {"TMPDIR": str(tmp_path), "TERM": "xterm-256color", "COLUMNS": "140", "LINES": "45"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    reading = asyncio.create_task(asyncio.to_thread(read_all, ours, shown))
    assert await asyncio.wait_for(process.wait(), 50) == 0
    await asyncio.wait_for(reading, 5)
    os.close(ours)
    text = shown.decode()
    assert "An ATM sells and buys cash" in text
    view, _, after = text.rpartition("\x1b[?1049l")
    assert "Customers at the ATM" in view
    assert "Summary" in after
    assert "Every book balances." in after
    assert nothing_left(tmp_path)


def read_all(terminal: int, shown: bytearray) -> None:
    """Everything that comes until the other side is closed, which a terminal tells by an error."""
    with contextlib.suppress(OSError):
        while chunk := os.read(terminal, 65_536):
            shown += chunk


async def test_another_network_than_the_wallets_is_refused(tmp_path: Path) -> None:
    async with World() as world:
        till = await world.call("wallet", account="till")
        payee = await world.call("address", user="fees")
        arguments = ["--once", "--nwc", "env:TILL", "--lp", payee, "--platform", payee, "--network", "signet"]
        async with demo(tmp_path, *arguments, TILL=till["uri"]) as running:
            assert await running.ended() == 1
            assert "the machine's wallet is on regtest: say --network regtest" in await running.errors()
