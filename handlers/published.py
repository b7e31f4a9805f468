"""What the bot publishes and replaces: worklist events for the operators, balance events for the LPs, what each machine
is told, and the bot's own profile. A relay that loses any of it is given it again (handlers/own_events.py)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from handlers.context import Settings
from handlers.wire import fee_config as fee_wire
from ledger import views
from ledger.cash import Bay
from ledger.model import Machine
from storage import cassettes, machines, outbox, platform, reports
from storage.db import Tx

KIND: Final = 30_078
PROFILE: Final = 0
RELAY_LIST: Final = 10_002
DM_RELAYS: Final = 10_050
FEES: Final = "bitspire-fees:"
CASSETTES: Final = "bitspire-cassettes:"


def refresh(tx: Tx, settings: Settings, now: int) -> None:
    """Puts into the outbox what differs from what was published last."""
    stale = {row["view"] for row in tx.all("SELECT view FROM stale_views")}
    tx.run("DELETE FROM stale_views")
    _worklist(tx, settings, now)
    for view in stale:
        name, _, key = view.partition(":")
        if name == "balance":
            _balance(tx, int(key), now)


def _worklist(tx: Tx, settings: Settings, now: int) -> None:
    items, unlisted = reports.worklist_facts(tx, now, settings.stuck_after_minutes, settings.unmatched_after_seconds)
    content = views.worklist(items, now, unlisted=unlisted)
    for admin in sorted(settings.operators):
        _put(tx, f"satmachine:worklist:{admin}", admin, content, now)


def _balance(tx: Tx, lp_id: int, now: int) -> None:
    pubkey, enrolments = reports.lp_balance_facts(tx, lp_id)
    _put(tx, f"satmachine:balance:{pubkey}", pubkey, views.lp_balance(pubkey, enrolments, now), now)


def no_balance(tx: Tx, pubkey: str, now: int) -> None:
    """An LP that is gone has nothing anywhere."""
    _put(tx, f"satmachine:balance:{pubkey}", pubkey, views.lp_balance(pubkey, [], now), now)


def _put(tx: Tx, d: str, recipient: str, content: dict[str, object], now: int) -> None:
    outbox.put_replaceable(
        tx,
        kind=KIND,
        d=d,
        tags=[["p", recipient]],
        content=views.content_text(content),
        encrypt_to=recipient,
        now=now,
        meaning=views.content_digest(content),
    )


def fee_config(tx: Tx, machine: Machine, now: int) -> None:
    """Tells a machine what to charge, if that is not what it was told last."""
    outbox.put_replaceable(
        tx,
        kind=KIND,
        d=FEES + machine.pubkey,
        tags=[["p", machine.pubkey]],
        content=fee_wire.content(machine, platform.load(tx)),
        encrypt_to=machine.pubkey,
        now=now,
    )


def fee_configs(tx: Tx, now: int) -> None:
    """The same for every machine that is active."""
    for each in machines.active(tx):
        fee_config(tx, each, now)


def cassette_config(tx: Tx, machine: Machine, bays: Sequence[Bay], now: int) -> None:
    """Tells a machine what its bays hold from now on. Also what it was told before: it may have dispensed since."""
    positions = {
        str(bay.position): {"denomination": bay.denomination, "count": bay.count}
        for bay in sorted(bays, key=lambda bay: bay.position)
    }
    content = json.dumps({"v": 1, "positions": positions}, separators=(",", ":"))
    outbox.put_replaceable(
        tx,
        kind=KIND,
        d=CASSETTES + machine.pubkey,
        tags=[["p", machine.pubkey]],
        content=content,
        encrypt_to=machine.pubkey,
        now=now,
        meaning=f"{content} {now}",
    )
    cassettes.sent(tx, machine.id, bays, now)


def forget_machine(tx: Tx, machine: Machine) -> None:
    """A machine that is gone is told nothing more."""
    for d in (FEES, CASSETTES):
        outbox.let_go(tx, outbox.coordinate_of(KIND, d + machine.pubkey, machine.pubkey))


def profile(tx: Tx, *, name: str, relays: Sequence[str], dm_relays: Sequence[str], now: int) -> None:
    """Kinds 0, 10002 and 10050: who the bot is, where it reads and writes, where it reads direct messages."""
    about = "Pays what Lightning ATM transactions owe. Send help as a direct message."
    metadata = json.dumps({"name": name, "about": about, "bot": True}, ensure_ascii=False, separators=(",", ":"))
    rows: list[tuple[int, list[list[str]], str]] = [
        (PROFILE, [], metadata),
        (RELAY_LIST, [["r", url] for url in relays], ""),
        (DM_RELAYS, [["relay", url] for url in dm_relays], ""),
    ]
    for kind, tags, content in rows:
        meaning = json.dumps([tags, content])
        outbox.put_replaceable(
            tx, kind=kind, d=None, tags=tags, content=content, encrypt_to=None, now=now, meaning=meaning
        )
