"""`tell`: one order, its answer and nobody else's, and exit codes that a script can rely on."""

from __future__ import annotations

import asyncio
import json
import socket

from bot.clock import SystemClock
from bot.commands.tell import joined
from bot.nostr import Keys, Rumor
from bot.relays import Relays
from handlers.replies import LANGUAGES, render_refusal
from ledger.errors import Code, Refusal
from tests.bot.commands.conftest import AnsweringBot, Called, Place, run
from tests.bot.conftest import HURRY, EmbeddedRelay, until

REFUSED = [render_refusal(Refusal(Code.NOT_FOUND, "there is no settlement S{id}", id=99), each) for each in LANGUAGES]


def said(content: str, created_at: int = 1) -> Rumor:
    return Rumor("0" * 64, "1" * 64, created_at, 14, (), content)


async def test_a_result_is_printed_and_0(relay_place: Place, relay: EmbeddedRelay) -> None:
    async with AnsweringBot(
        relay_place.bot, [relay.url], lambda text: [f"Done: {text}\nsecond line ñ"]
    ).running() as bot:
        told = await run(
            "tell", "deposit sintra ana 2000", "--config", relay_place.config, "--as", relay_place.ana_source
        )
        assert (told.code, told.out, told.err) == (0, "Done: deposit sintra ana 2000\nsecond line ñ\n", "")
        assert bot.heard == [(relay_place.ana.public_key, "deposit sintra ana 2000")]


async def test_the_bots_own_key_tells_itself(relay_place: Place, relay: EmbeddedRelay) -> None:
    async with AnsweringBot(relay_place.bot, [relay.url], lambda _: ["Running."]).running() as bot:
        told = await run("tell", "-", cwd=relay_place.directory, typed="status\n")
        assert (told.code, told.out) == (0, "Running.\n")
        assert bot.heard == [(relay_place.bot.public_key, "status")]


async def test_an_error_answer_is_1(relay_place: Place, relay: EmbeddedRelay) -> None:
    error = '{"id":"7","error":{"code":"not_found","message":"there is no settlement S99","field":"settlement"}}'

    def answers(text: str) -> list[str]:
        return [error if text.startswith("{") else REFUSED[text == "ver S99"]]

    async with AnsweringBot(relay_place.bot, [relay.url], answers).running():
        in_text = await run("tell", "show S99", "--config", relay_place.config)
        assert (in_text.code, in_text.out) == (1, f"{REFUSED[0]}\n")
        in_spanish = await run("tell", "ver S99", "--config", relay_place.config)
        assert (in_spanish.code, in_spanish.out) == (1, f"{REFUSED[1]}\n")
        wrapped = await run("tell", "show S99", "--config", relay_place.config, "--json")
        assert (wrapped.code, wrapped.json) == (1, json.loads(error))  # it went in the form for programs
        unknown = await run("tell", "worklst", "--config", relay_place.config, "--json")
        assert (unknown.code, unknown.json["error"]["code"]) == (1, "unknown_command")
        in_json = await run("tell", '{"method":"settlement.show"}', "--config", relay_place.config, "--json")
        assert (in_json.code, in_json.json) == (1, json.loads(error))
        plain = await run("tell", '{"method":"settlement.show"}', "--config", relay_place.config)
        assert (plain.code, plain.out) == (1, f"{error}\n")


async def test_json_goes_as_it_is_and_comes_as_it_is(relay_place: Place, relay: EmbeddedRelay) -> None:
    async with AnsweringBot(
        relay_place.bot, [relay.url], lambda _: ['{"id":"7","result":{"items":[]}}']
    ).running() as bot:
        order = '{"id": "7", "method": "machine.list"}'
        told = await run("tell", order, "--config", relay_place.config, "--json")
        assert (told.code, told.json) == (0, {"id": "7", "result": {"items": []}})
        assert bot.heard == [(relay_place.bot.public_key, order)]


async def test_nobody_else_answers_for_the_bot(relay_place: Place, relay: EmbeddedRelay) -> None:
    forger = AnsweringBot(relay_place.bot, [relay.url], lambda _: ["Forged."], signer=Keys.generate())
    async with forger.running():
        told = await run("tell", "status", "--config", relay_place.config, "--timeout", "3")
    assert forger.heard
    assert (told.code, told.out) == (3, "")
    assert "no answer within 3 s" in told.err


async def test_no_bot_and_no_relay_are_3(relay_place: Place, relay: EmbeddedRelay) -> None:
    alone = await run("tell", "status", "--config", relay_place.config, "--timeout", "1.5")
    assert (alone.code, alone.out) == (3, "")
    assert "is the bot running?" in alone.err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"ws://127.0.0.1:{taken.getsockname()[1]}"
        relay_place.write(url)
        unreachable = await run("tell", "status", "--config", relay_place.config, "--timeout", "1.5")
    assert (unreachable.code, unreachable.out) == (3, "")
    assert f"{url}: not connected" in unreachable.err


async def test_a_dead_relay_beside_a_live_one_does_not_matter(relay_place: Place, relay: EmbeddedRelay) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        relay_place.write(f"ws://127.0.0.1:{taken.getsockname()[1]}", relay.url)
        async with AnsweringBot(relay_place.bot, [relay.url], lambda _: ["Running."]).running():
            told = await run("tell", "status", "--config", relay_place.config, "--timeout", "20")
    assert (told.code, told.out, told.err) == (0, "Running.\n", "")


async def test_the_answer_is_found_where_the_sender_reads_its_messages(
    relay_place: Place, relay: EmbeddedRelay, second_relay: EmbeddedRelay
) -> None:
    clock = SystemClock()
    list_of_relays = relay_place.ana.cipher().sign(10_050, [("relay", second_relay.url)], "", clock.now())
    bot = AnsweringBot(relay_place.bot, [relay.url], lambda _: [])
    async with (
        bot.running(),
        Relays([second_relay.url], relay_place.bot, lambda *_: None, clock, timings=HURRY) as there,
    ):
        await bot.relays.publish(list_of_relays)
        await until(there.connected, "the second relay is connected")
        bot.relays.publish = there.publish  # type: ignore[method-assign] # answers go there alone
        bot._answers = lambda _: ["Here."]
        told = await run("tell", "status", "--config", relay_place.config, "--as", relay_place.ana_source)
    assert (told.code, told.out) == (0, "Here.\n")


async def test_an_answer_in_parts_is_joined(relay_place: Place, relay: EmbeddedRelay) -> None:
    parts = ["(2/3)\nb", "(1/3)\na", "(3/3)\nc"]
    async with AnsweringBot(relay_place.bot, [relay.url], lambda _: parts).running():
        told = await run("tell", "export journal", "--config", relay_place.config)
    assert (told.code, told.out) == (0, "a\nb\nc\n")


def test_parts_without_numbers_are_joined_in_the_order_of_their_times() -> None:
    assert joined([said("b", 2), said("a", 1), said("c", 2)]) == "a\nb\nc"
    assert joined([said("(1/2) not a part alone")]) == "not a part alone"


def test_wrong_usage(place: Place, call: Called) -> None:
    for arguments, named in (
        (["  "], "the order is empty"),
        (["x" * 70_000], "can't be sent"),
        (["status", "--as", "nsec1abc"], "--as: the secret itself does not belong"),
        (["status", "--as", "env:NOBODY"], "--as: the environment variable NOBODY is not set"),
    ):
        told = call("tell", *arguments, "--config", place.config)
        assert (told.code, told.out) == (2, ""), arguments[0][:20]
        assert named in told.err


async def test_two_orders_at_once_get_their_own_answers(relay_place: Place, relay: EmbeddedRelay) -> None:
    async with AnsweringBot(relay_place.bot, [relay.url], lambda text: [f"{text}!"]).running():
        both = await asyncio.gather(*(run("tell", word, "--config", relay_place.config) for word in ("one", "two")))
    assert [told.out for told in both] == ["one!\n", "two!\n"]
