"""`satmachine atm beacon`, `telemetry`, `cassettes`: one thing that a machine says of itself, said once, and cassettes
that follow what the bot sends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from bot.atm.cash import Cassette, positions, typed_bays
from bot.atm.machine import MAX_CHARS, Ears, Machine, NotConnected
from bot.atm.memory import BadMemory, Keeper
from bot.atm.running import RunningMachine
from bot.clock import SystemClock
from bot.commands.atm import Place
from bot.commands.terminal import DONE, NO_ANSWER, USAGE, Quit, answer, log_to_stderr
from bot.delivery import PublishResult
from ledger.errors import Refusal
from ledger.money import fiat_digits
from nwc.foreign import parse_json

LEVELS: Final = ("full", "ok", "low", "empty")


def beacon(place: Place, given: Mapping[str, Any], file: str | None, *, seconds: float, as_json: bool) -> int:
    """`given` are the options: what is None was not given. Exit 0 once a relay has it, 3 if none takes it."""
    fields = {**_object("--file", file), **{name: value for name, value in given.items() if value is not None}}
    if not fields:
        raise Quit(USAGE, "nothing to say: give an option such as --cash-out or --name, or --file with a JSON object")
    if fields.get("cash_level", "ok") not in LEVELS:
        raise Quit(USAGE, f"--cash-level: is one of {', '.join(LEVELS)}")
    return _say(place, lambda machine: machine.beacon(fields), "the beacon", fields, seconds, as_json=as_json)


def telemetry(place: Place, file: str, *, seconds: float, as_json: bool) -> int:
    body = _object("FILE", file)
    return _say(place, lambda machine: machine.telemetry(body), "the telemetry", body, seconds, as_json=as_json)


def cassettes(
    place: Place, words: Sequence[str], *, memory: Path | None, follow: bool, seconds: float, as_json: bool
) -> int:
    """Exit 0 once a relay has the state (with `follow`: when it is stopped), 3 if none takes it."""
    keeper = open_memory(memory)
    bays = typed(words)
    if not bays and not keeper.memory.cash.bays:
        raise Quit(USAGE, "give what is in the bays, such as 1=20x180 2=20x175")
    if follow:
        return _follow(place, keeper, bays, seconds, as_json=as_json)
    cash = keeper.memory.cash
    if bays:
        cash.bays = dict(bays)
        cash.full = cash.amount
    body = {"v": 1, "positions": positions(cash.bays)}

    async def say(machine: Machine) -> PublishResult:
        result, keeper.memory.state_at = await machine.state(cash.bays, keeper.memory.state_at)
        save(keeper)
        return result

    return _say(place, say, "the cassettes", body, seconds, as_json=as_json)


def open_memory(path: Path | None) -> Keeper:
    """Raises Quit."""
    try:
        return Keeper(path)
    except BadMemory as bad:
        raise Quit(USAGE, f"--state: {bad}") from None


def save(keeper: Keeper) -> None:
    """Raises Quit: a file that can't be written is the caller's."""
    try:
        keeper.save()
    except OSError as error:
        raise Quit(USAGE, f"--state: {keeper.path}: {error.strerror or error}") from None


def typed(words: Sequence[str]) -> dict[int, Cassette]:
    """Raises Quit."""
    try:
        return typed_bays(words)
    except ValueError as bad:
        raise Quit(USAGE, str(bad)) from None


def check_currency(option: str, currency: str) -> None:
    """Raises Quit."""
    try:
        fiat_digits(currency)
    except Refusal as refusal:
        raise Quit(USAGE, f"{option}: {refusal.message}") from None


def shown(kind: str, facts: Mapping[str, Any], *, as_json: bool) -> str:
    """What happened at a machine as one line."""
    if as_json:
        return json.dumps({"event": kind, **facts}, ensure_ascii=False)
    match kind:
        case "state":
            return f"reported: {_bays_text(facts['positions'])}"
        case "config":
            return f"took the bot's config: {_bays_text(facts['positions'])}"
        case "config_refused":
            return f"did not take the bot's config: {facts['reason']}"
        case "fees":
            return f"fees: cash in {facts['cash_in_fee']}, cash out {facts['cash_out_fee']}"
        case "receipt":
            reason = f", {facts['reason']}" if facts.get("reason") else ""
            return f"receipt: {facts.get('status')}, settlement {facts.get('settlement')}{reason}"
        case "bays":
            return f"bays: {_bays_text(facts['positions'])}, box: {facts['box']}"
        case "invoice":
            return f"{facts['invoice']}"
        case "price":
            return f"cash out {facts['out_sats']:,} sats, cash in {facts['in_sats']:,} sats"
        case "dispensed":
            return f"dispensed {facts['amount']} (transaction {facts['seq']})"
        case "inserted":
            return f"{facts['amount']} put in, {facts['sats']:,} sats paid (transaction {facts['seq']})"
        case _:
            return f"{kind.replace('_', ' ')}: {facts.get('reason', '')}".rstrip(": ")


def _bays_text(bays: Mapping[str, Any]) -> str:
    return " ".join(f"{position}={bay['denomination']}x{bay['count']}" for position, bay in bays.items())


def _object(option: str, source: str | None) -> dict[str, Any]:
    """The JSON object in a file, or in standard input (`-`). Raises Quit."""
    if source is None:
        return {}
    try:
        if source == "-":
            text = sys.stdin.read(MAX_CHARS + 1)
        else:
            with Path(source).open(encoding="utf-8") as file:
                text = file.read(MAX_CHARS + 1)
    except OSError as error:
        raise Quit(USAGE, f"{option}: {source}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise Quit(USAGE, f"{option}: {source}: it is no text") from None
    try:
        found = parse_json(text, max_chars=MAX_CHARS)
    except ValueError as error:
        raise Quit(USAGE, f"{option}: {source}: this is no JSON that can be read ({error})") from None
    if not isinstance(found, dict):
        raise Quit(USAGE, f"{option}: {source}: it must be a JSON object, such as {{}}")
    return found


def _say(
    place: Place,
    say: Callable[[Machine], Awaitable[PublishResult]],
    what: str,
    body: Mapping[str, Any],
    seconds: float,
    *,
    as_json: bool,
) -> int:
    log_to_stderr("error")

    async def once() -> PublishResult:
        machine = Machine(place.machine, place.bot, place.relays, SystemClock(), Ears(), connect_seconds=seconds)
        async with machine:
            return await say(machine)

    try:
        result = asyncio.run(once())
    except NotConnected as nobody:
        raise Quit(NO_ANSWER, str(nobody)) from None
    if not result.accepted:
        why = "; ".join(f"{url}: {reason}" for url, reason in (*result.refused.items(), *result.silent.items()))
        raise Quit(NO_ANSWER, f"no relay took {what} ({why})")
    where = sorted(result.accepted)
    answer(json.dumps({"published": dict(body), "relays": where}) if as_json else f"{what}: at {', '.join(where)}")
    return DONE


def _follow(place: Place, keeper: Keeper, bays: Mapping[int, Cassette], seconds: float, *, as_json: bool) -> int:
    log_to_stderr("error")

    async def follow() -> None:
        machine = RunningMachine(
            place.machine,
            place.bot,
            place.relays,
            SystemClock(),
            keeper,
            tell=lambda kind, facts: answer(shown(kind, facts, as_json=as_json)),
            connect_seconds=seconds,
        )
        if bays:
            keeper.memory.cash.bays = {}
            machine.fill(bays)
        async with machine:
            await until_stopped(machine.tell_states())

    save(keeper)
    try:
        asyncio.run(follow())
    except NotConnected as nobody:
        raise Quit(NO_ANSWER, str(nobody)) from None
    return DONE


async def until_stopped(work: Awaitable[None]) -> None:
    """Runs it until it ends, or somebody asks the process to stop: so a machine is switched off."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task
