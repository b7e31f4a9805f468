"""What machines are told, and what everybody may know of them."""

from __future__ import annotations

import json
from typing import Any

from handlers import public_face, published
from handlers.public_face import Face
from ledger.cash import Bay
from storage import beacons, cassettes, machines, outbox
from storage.beacons import Beacon
from storage.db import Tx
from tests.handlers.desk import ATM, ATM2, BOSS, NOW, SUPER, Desk

FACE, HIDDEN = Face(shown=True, silent_seconds=5_400), Face(shown=False, silent_seconds=5_400)
CARD = "30078:bitspire-card:"


async def left(desk: Desk, beginning: str = "30078:bitspire-") -> list[dict[str, Any]]:
    """Bodies of the events that leave now, and begin so; from here on relays have them."""
    made: list[dict[str, Any]] = []

    def work(tx: Tx) -> None:
        while due := [each for each in outbox.due(tx, desk.now, 1_000) if each.kind == "replaceable"]:
            for each in due:
                if outbox.sign_once(tx, each, desk.now, str) is not None and (each.coordinate or "").startswith(
                    beginning
                ):
                    made.append(each.body)
                outbox.done(tx, each.id)

    await desk.tx(work)
    return made


async def fees(desk: Desk) -> list[tuple[str, str, str]]:
    """Machine, cash in, cash out, of each fee config that leaves now."""
    found = [(body["encrypt_to"], json.loads(body["content"])) for body in await left(desk, "30078:bitspire-fees:")]
    return [(to, told["cash_in_fee"], told["cash_out_fee"]) for to, told in found]


async def test_a_machine_is_told_its_fees_whenever_they_change(desk: Desk) -> None:
    await desk.with_machine()
    assert await fees(desk) == [(ATM, "0.05", "0.05")]
    await desk.ask(SUPER, "platform.set", cash_out_fee="3%")
    assert await fees(desk) == [(ATM, "0.05", "0.08")]
    await desk.ask(BOSS, "machine.set", machine="sintra", cash_in_fee="4%", location="Mall")
    assert await fees(desk) == [(ATM, "0.04", "0.08")]
    await desk.ask(SUPER, "platform.set", target="fees@example.com")
    await desk.ask(BOSS, "machine.set", machine="sintra", location="Station")
    assert await fees(desk) == [], "nothing of it has changed"
    await desk.ask(BOSS, "machine.set", machine="sintra", active=False)
    await desk.ask(SUPER, "platform.set", cash_in_fee="1%")
    assert await fees(desk) == [], "it is out of service"
    await desk.ask(BOSS, "machine.set", machine="sintra", active=True)
    assert await fees(desk) == [(ATM, "0.05", "0.08")]
    await desk.tx(lambda tx: published.fee_configs(tx, desk.now))
    assert await fees(desk) == [], "at the start it is looked whether all know"
    await desk.ask(BOSS, "machine.remove", machine="sintra")
    await desk.with_machine()
    assert await fees(desk) == [(ATM, "0.06", "0.08")], "it may wait for a word that it is registered"


async def test_a_cassette_config_is_for_its_machine_alone_and_is_sent_each_time(desk: Desk) -> None:
    """Also with the same counts: notes may have come out since the last one."""
    await desk.with_machine()
    bays = [Bay(10, 50, 7, 50, 0), Bay(1, 20, 180, 20, 90)]

    def send(tx: Tx) -> None:
        machine = machines.by_name(tx, "sintra")
        assert machine is not None
        published.cassette_config(tx, machine, bays, desk.now)

    await left(desk)
    for _ in range(2):
        await desk.tx(send)
        [body] = await left(desk)
        assert (body["encrypt_to"], body["tags"]) == (ATM, [["p", ATM], ["d", f"bitspire-cassettes:{ATM}"]])
        assert json.loads(body["content"]) == {
            "v": 1, "positions": {"1": {"denomination": 20, "count": 180}, "10": {"denomination": 50, "count": 7}}
        }  # fmt: skip
        assert body["content"].index('"1"') < body["content"].index('"10"')
        desk.now += 1
    found = await desk.tx(lambda tx: cassettes.state(tx, 1))
    assert found is not None
    assert (found.config, found.config_at, found.applied_at) == ({1: (20, 180), 10: (50, 7)}, NOW + 1, None)
    await desk.ask(BOSS, "machine.set", machine="sintra", active=False)
    await desk.ask(BOSS, "machine.set", machine="sintra", active=True)
    kept = await desk.tx(lambda tx: outbox.kept(tx, "30078:bitspire-", 10, desk.now))
    assert [coordinate.split(":")[1] for coordinate, _ in kept] == ["bitspire-cassettes", "bitspire-fees"]


# --- what everybody may know -----------------------------------------------------------------------------------------


async def beacon(desk: Desk, machine_id: int = 1, **fields: Any) -> None:
    await desk.tx(lambda tx: beacons.put(tx, machine_id, Beacon("ab" * 32, desk.now, desk.now, fields)))


async def shown(desk: Desk, face: Face = FACE) -> dict[str, Any]:
    """What is published now by the worker, and leaves: content by `d`, the status as it is."""

    def work(tx: Tx) -> None:
        public_face.show(tx, public_face.news(tx, face, desk.now), desk.now)

    await desk.tx(work)
    found = {}
    for body in await left(desk, "30"):
        [d] = [tag[1] for tag in body["tags"] if tag[0] == "d"]
        if d == "general" or d.startswith("bitspire-card:"):
            assert (body["encrypt_to"], body["expires_in"]) == (None, 86_400)
            assert body["kind"] == (30_315 if d == "general" else 30_078)
            found[d] = json.loads(body["content"]) if body["content"].startswith("{") else body["content"]
    return found


async def test_a_card_says_where_and_what_and_no_counts(desk: Desk) -> None:
    await desk.with_machine()
    await desk.ask(BOSS, "machine.set", machine="sintra", location="Mall, ground floor")
    await beacon(desk, cash_out=True, cash_in=False, cash_level="low", geo="9ft", fiat="GTQ", denominations=[20])
    assert await shown(desk, HIDDEN) == {}
    assert await shown(desk) == {
        f"bitspire-card:{ATM}": {
            "v": 1, "type": "machine", "name": "sintra", "location": "Mall, ground floor", "geo": "9ft", "fiat": "GTQ",
            "cash_in": False, "cash_out": True, "cash_in_fee": "0.05", "cash_out_fee": "0.05",
        },
        "general": "1 machine: cash out at 1",
    }  # fmt: skip
    assert await shown(desk) == {}, "once"


async def test_the_status_counts_what_is_in_service(desk: Desk) -> None:
    """A machine that is empty gives no cash, and one that was not heard for long neither gives nor takes any."""
    await desk.with_machine()
    await desk.ask(BOSS, "machine.add", npub=ATM2, name="plaza", wallet="second", fiat="GTQ")
    assert (await shown(desk))["general"] == "2 machines: out of service"
    await beacon(desk, 1, cash_out=True, cash_in=True, cash_level="empty")
    await beacon(desk, 2, cash_out=True, cash_in=True)
    assert (await shown(desk))["general"] == "2 machines: cash out at 1, cash in at 2"
    desk.now += 5_400
    await beacon(desk, 2, cash_out=True)
    told = await shown(desk)
    assert told["general"] == "2 machines: cash out at 1"
    assert told[f"bitspire-card:{ATM}"].items() >= {"cash_in": False, "cash_out": False}.items()


async def test_it_is_renewed_before_it_expires(desk: Desk) -> None:
    await desk.with_machine()
    await beacon(desk, cash_out=True)
    assert await shown(desk)
    for _ in range(3):
        renewed = 0
        for _ in range(20):
            desk.now += 3_600
            await beacon(desk, cash_out=True)
            renewed += f"bitspire-card:{ATM}" in await shown(desk)
        assert renewed in (3, 4), "every six hours, and it lives for a day"


async def test_it_is_withdrawn_when_it_is_switched_off_or_the_machine_is(desk: Desk) -> None:
    await desk.with_machine()
    await beacon(desk, cash_out=True)
    await shown(desk)
    gone = {f"bitspire-card:{ATM}": "", "general": ""}
    assert await shown(desk, HIDDEN) == gone
    assert await shown(desk, HIDDEN) == {}
    assert (await shown(desk)).keys() == gone.keys()
    await desk.ask(BOSS, "machine.set", machine="sintra", active=False)
    assert await shown(desk) == gone
    await desk.ask(BOSS, "machine.set", machine="sintra", active=True)
    assert (await shown(desk)).keys() == gone.keys()
    await desk.tx(lambda tx: tx.run("DELETE FROM beacons"))
    await desk.ask(BOSS, "machine.remove", machine="sintra")
    assert await shown(desk) == gone


async def test_while_no_relay_is_there_it_is_put_once(desk: Desk) -> None:
    await desk.with_machine()
    for _ in range(5):
        await desk.tx(lambda tx: public_face.show(tx, public_face.news(tx, FACE, desk.now), desk.now))
        desk.now += 60
    assert await desk.count("SELECT count(*) FROM outbox WHERE coordinate LIKE ?", f"{CARD}%") == 1
