"""What people wish for themselves: the language in which the bot talks to them, and whether it tells of payments."""

from __future__ import annotations

from typing import Final

from storage.db import Tx

DEFAULT_LANGUAGE: Final = "en"


def language(tx: Tx, pubkey: str) -> str:
    """ISO 639, `en` for somebody who never chose."""
    return chosen_language(tx, pubkey) or DEFAULT_LANGUAGE


def chosen_language(tx: Tx, pubkey: str) -> str | None:
    row = tx.one("SELECT language FROM people WHERE pubkey = ?", (pubkey,))
    return row["language"] if row else None


def set_language(tx: Tx, pubkey: str, language: str) -> None:
    tx.run(
        "INSERT INTO people (pubkey, language) VALUES (?, ?)"
        " ON CONFLICT (pubkey) DO UPDATE SET language = excluded.language",
        (pubkey, language),
    )


def notified(tx: Tx, pubkey: str) -> bool:
    """Whether the person is told of each payment and confirmed deposit; not unless it was asked for."""
    row = tx.one("SELECT notify FROM people WHERE pubkey = ?", (pubkey,))
    return bool(row["notify"]) if row else False


def set_notified(tx: Tx, pubkey: str, notify: bool) -> None:
    tx.run(
        "INSERT INTO people (pubkey, notify) VALUES (?, ?) ON CONFLICT (pubkey) DO UPDATE SET notify = excluded.notify",
        (pubkey, int(notify)),
    )


def forget(tx: Tx, pubkey: str) -> None:
    tx.run("DELETE FROM people WHERE pubkey = ?", (pubkey,))
