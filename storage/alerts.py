"""What services outside (mail, chat, push) are still to be told: written by the commit that decided it, sent later.

Services are numbered as the configuration lists them; where they are is not written here, for that has passwords in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from storage import meta
from storage.db import Tx

LIFE_SECONDS: Final = 86_400
MOST_WAITING: Final = 200
"""For one service: the oldest go."""
RETRY_SECONDS: Final = (10, 30, 120, 600, 1_800)
REFUSALS_IN_A_ROW: Final = 3
"""So often one is tried before the next may go ahead."""
_SERVICES: Final = "alert_services"
_LANGUAGE: Final = "alert_language"


@dataclass(frozen=True, slots=True)
class Waiting:
    id: int
    service: int
    text: str
    created_at: int
    tries: int


def configure(tx: Tx, services: int, language: str) -> None:
    """So many services are told from now on, in this language. What waited for others is dropped."""
    meta.put(tx, _SERVICES, str(services))
    meta.put(tx, _LANGUAGE, language)
    tx.run("DELETE FROM alerts WHERE service >= ?", (services,))


def services(tx: Tx) -> int:
    return int(meta.get(tx, _SERVICES) or 0)


def language(tx: Tx) -> str:
    """ISO 639."""
    return meta.get(tx, _LANGUAGE) or "en"


def put(tx: Tx, text: str, now: int) -> None:
    """Every service is told that."""
    for service in range(services(tx)):
        tx.insert("alerts", service=service, text=text, created_at=now, next_try_at=now)
        tx.run(
            "DELETE FROM alerts WHERE service = :service AND id <="
            " (SELECT id FROM alerts WHERE service = :service ORDER BY id DESC LIMIT 1 OFFSET :most)",
            {"service": service, "most": MOST_WAITING},
        )
        tx.touch("alerts")


def first(tx: Tx, service: int) -> tuple[Waiting, int] | None:
    """What this service is to be told next, and when. Each waits for the one before: they come in order. One that was
    refused a few times lets the others go ahead, for it may be the text that the service does not take."""
    row = tx.one(
        "SELECT * FROM alerts WHERE service = :service"
        " ORDER BY tries >= :few, CASE WHEN tries >= :few THEN next_try_at END, id LIMIT 1",
        {"service": service, "few": REFUSALS_IN_A_ROW},
    )
    if row is None:
        return None
    return Waiting(row["id"], row["service"], row["text"], row["created_at"], row["tries"]), row["next_try_at"]


def done(tx: Tx, alert_id: int) -> None:
    tx.run("DELETE FROM alerts WHERE id = ?", (alert_id,))


def put_off(tx: Tx, waiting: Waiting, now: int) -> bool:
    """The service did not take it: tried again later, or given up (False) when it is a day old. One from a day to come
    is as old as this moment: the clock was ahead when it was written."""
    if now - waiting.created_at >= LIFE_SECONDS:
        done(tx, waiting.id)
        return False
    delay = RETRY_SECONDS[min(waiting.tries, len(RETRY_SECONDS) - 1)]
    tx.run(
        "UPDATE alerts SET tries = tries + 1, next_try_at = ?, created_at = min(created_at, ?) WHERE id = ?",
        (now + delay, now, waiting.id),
    )
    return True
