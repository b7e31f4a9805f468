"""Wallets as the books know them: whether they can pay, what they last said. The connection's secret is not here."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from ledger.alarms import WALLET_STOPS
from ledger.decide.attempt import WalletProfile
from ledger.money import MSAT
from storage import alarms
from storage.db import Tx


@dataclass(frozen=True, slots=True)
class Wallet:
    name: str
    wallet_pubkey: str
    client_pubkey: str
    profile: WalletProfile
    profile_since: int
    """What was sent before that is judged as by an unknown wallet; 0 where the configuration names the profile."""
    profile_found: str | None
    """What the profile was found by, JSON; None where the configuration names it, or nothing was found yet."""
    repays: bool
    """Whether it may be asked to pay an invoice again that failed there."""
    configured: bool
    """False: its connection was taken out of the configuration."""
    paused_reason: str | None
    paused_at: int | None
    missing_msat: int
    """What it lacked when it could not pay."""
    paused_balance_msat: int | None
    """The first balance that it told after it was paused."""
    pauses: int
    """How often in a row it was paused since it last paid."""
    balance_msat: int | None
    balance_at: int | None
    last_answer_at: int | None
    scanned_until: int
    searched_from: int | None
    """From when on its list was searched for payments that these books forgot; None: it was not."""
    created_at: int
    """When this bot first met the wallet, unix seconds."""
    connected_at: int
    """Since when its name stands for this very connection: what was paid before may be in another wallet's list."""


def from_row(row: sqlite3.Row) -> Wallet:
    return Wallet(
        name=row["name"],
        wallet_pubkey=row["wallet_pubkey"],
        client_pubkey=row["client_pubkey"],
        profile=WalletProfile(row["profile"]),
        profile_since=row["profile_since"],
        profile_found=row["profile_found"],
        repays=bool(row["repays"]),
        configured=bool(row["configured"]),
        paused_reason=row["paused_reason"],
        paused_at=row["paused_at"],
        missing_msat=row["missing_msat"],
        paused_balance_msat=row["paused_balance_msat"],
        pauses=row["pauses"],
        balance_msat=row["balance_msat"],
        balance_at=row["balance_at"],
        last_answer_at=row["last_answer_at"],
        scanned_until=row["scanned_until"],
        searched_from=row["searched_from"],
        created_at=row["created_at"],
        connected_at=row["connected_at"],
    )


def get(tx: Tx, name: str) -> Wallet | None:
    row = tx.one("SELECT * FROM wallets WHERE name = ?", (name,))
    return from_row(row) if row else None


def all_of_them(tx: Tx) -> list[Wallet]:
    return [from_row(row) for row in tx.all("SELECT * FROM wallets ORDER BY name")]


def register(tx: Tx, name: str, *, wallet_pubkey: str, client_pubkey: str, now: int) -> None:
    """A configured wallet gets its row; a rotated connection its new keys.

    What the connection before was refused says nothing about this one, so it is paused no more. Where the wallet itself
    is another, nothing that was known of the one before holds.
    """
    keys = {"name": name, "wallet": wallet_pubkey, "client": client_pubkey, "now": now}
    tx.run(
        "INSERT INTO wallets (name, wallet_pubkey, client_pubkey, created_at, connected_at)"
        " VALUES (:name, :wallet, :client, :now, :now) ON CONFLICT (name) DO NOTHING",
        keys,
    )
    tx.run(
        "UPDATE wallets SET profile = 'unknown', profile_since = 0, profile_found = NULL, repays = 1,"
        " balance_msat = NULL, balance_at = NULL, last_answer_at = NULL, scanned_until = 0, listed_at = NULL,"
        " created_at = :now WHERE name = :name AND wallet_pubkey <> :wallet",
        keys,
    )
    rotated = tx.run(
        "UPDATE wallets SET wallet_pubkey = :wallet, client_pubkey = :client, connected_at = :now,"
        " paused_reason = NULL, paused_at = NULL, missing_msat = 0, paused_balance_msat = NULL, pauses = 0,"
        " searched_from = NULL WHERE name = :name AND (wallet_pubkey <> :wallet OR client_pubkey <> :client)",
        keys,
    ).rowcount
    for cause in WALLET_STOPS if rotated else ():
        alarms.forget(tx, cause, f"wallet:{name}", now)


def set_configured(tx: Tx, names: Iterable[str]) -> None:
    """These and no others have a connection in the configuration."""
    tx.run("UPDATE wallets SET configured = 0")
    tx.many("UPDATE wallets SET configured = 1 WHERE name = ?", [(name,) for name in names])


def set_profile(tx: Tx, name: str, profile: WalletProfile) -> None:
    """The configuration names it: it holds for whatever is still open, too."""
    tx.run(
        "UPDATE wallets SET profile = :profile, profile_since = 0, profile_found = NULL, repays = :repays"
        " WHERE name = :name",
        {"name": name, "profile": profile.value, "repays": int(profile is not WalletProfile.LNBITS)},
    )


def forget_named_profile(tx: Tx, name: str) -> None:
    """The configuration names none any more, and what was found counts. While nothing is, it is an unknown wallet."""
    tx.run("UPDATE wallets SET profile = 'unknown' WHERE name = ? AND profile_found IS NULL", (name,))


def find_profile(tx: Tx, name: str, profile: WalletProfile, found: str, *, repays: bool, now: int) -> None:
    """What the wallet turned out to be, and by what (JSON). A profile that differs from the one before holds for what
    is sent from now on: what is open was perhaps sent by another wallet behind the same connection, also where the
    clock was set back since."""
    tx.run(
        "UPDATE wallets SET profile_since = CASE profile WHEN :profile THEN profile_since ELSE max(:now, coalesce("
        "  (SELECT max(sent_at) FROM attempts WHERE wallet = :name AND state IN ('sent', 'claimed')), 0)) END,"
        " profile = :profile, profile_found = :found, repays = :repays WHERE name = :name",
        {"name": name, "profile": profile.value, "found": found, "repays": int(repays), "now": now},
    )
    tx.touch("wallets")


def set_balance(tx: Tx, name: str, balance_msat: int, now: int) -> None:
    tx.run(
        "UPDATE wallets SET balance_msat = ?, balance_at = ?, last_answer_at = ? WHERE name = ?",
        (balance_msat, now, now, name),
    )


def answered(tx: Tx, name: str, now: int) -> None:
    tx.run("UPDATE wallets SET last_answer_at = ? WHERE name = ?", (now, name))


def set_scanned(tx: Tx, name: str, until: int, asked_at: int) -> None:
    """Its list of transactions was gone through up to this time, and given whole when it was asked for."""
    tx.run(
        "UPDATE wallets SET scanned_until = max(scanned_until, ?), listed_at = ? WHERE name = ?",
        (until, asked_at, name),
    )


def known_until(tx: Tx) -> int:
    """Until when every wallet's list was compared with the books, unix seconds."""
    row = tx.one("SELECT min(max(coalesce(listed_at, 0), created_at)) AS at FROM wallets WHERE configured = 1")
    return row["at"] or 0 if row else 0


def set_searched(tx: Tx, name: str, since: int) -> None:
    """Its list was searched, from then on, for payments that these books forgot."""
    tx.run(
        "UPDATE wallets SET searched_from = min(coalesce(searched_from, :since), :since) WHERE name = :name",
        {"name": name, "since": since},
    )


def pause(tx: Tx, name: str, reason: str, missing_msat: int, now: int) -> bool:
    """The wallet can't pay now; True when that is news."""
    cursor = tx.run(
        "UPDATE wallets SET paused_reason = ?, paused_at = ?, missing_msat = ?, paused_balance_msat = NULL,"
        " pauses = pauses + 1 WHERE name = ? AND paused_at IS NULL",
        (reason, now, missing_msat, name),
    )
    tx.touch("wallets")
    return cursor.rowcount == 1


def set_paused_balance(tx: Tx, name: str, balance_msat: int) -> None:
    tx.run("UPDATE wallets SET paused_balance_msat = ? WHERE name = ?", (balance_msat, name))


def paid(tx: Tx, name: str) -> None:
    """It pays again: the pauses before are forgotten."""
    tx.run("UPDATE wallets SET pauses = 0 WHERE name = ? AND pauses > 0", (name,))


def paused(tx: Tx, name: str) -> bool:
    return tx.one("SELECT 1 FROM wallets WHERE name = ? AND paused_at IS NOT NULL", (name,)) is not None


def resume(tx: Tx, name: str | None = None) -> int:
    """Lets the wallet pay again; the number of those that had been paused. None: every wallet, by somebody's word, so
    that what they refused before is forgotten."""
    if name is None:
        tx.run("UPDATE wallets SET pauses = 0 WHERE pauses > 0")
    cursor = tx.run(
        "UPDATE wallets SET paused_reason = NULL, paused_at = NULL, missing_msat = 0"
        " WHERE paused_at IS NOT NULL AND (:name IS NULL OR name = :name)",
        {"name": name},
    )
    tx.touch("wallets", "legs")
    return cursor.rowcount


@dataclass(frozen=True, slots=True)
class OpenWork:
    """What a wallet still has to do."""

    payments: int
    """Legs that are owed from it."""
    in_doubt: int
    """Attempts of which it has not said what became of them."""
    settlements: int
    """Whose payment it has not shown."""

    @property
    def any(self) -> bool:
        return bool(self.payments or self.in_doubt or self.settlements)


def open_work(tx: Tx, name: str) -> OpenWork:
    row = tx.one(
        "SELECT (SELECT count(*) FROM legs WHERE wallet = :name AND status = 'pending') AS payments,"
        " (SELECT count(*) FROM attempts WHERE wallet = :name AND state IN ('sent', 'claimed')) AS in_doubt,"
        " (SELECT count(*) FROM settlements WHERE wallet = :name AND status = 'unverified') AS settlements",
        {"name": name},
    )
    return OpenWork(row["payments"], row["in_doubt"], row["settlements"]) if row else OpenWork(0, 0, 0)


def unresolved(tx: Tx, name: str) -> bool:
    """Whether an attempt of this wallet may still be paid."""
    return (
        tx.one("SELECT 1 FROM attempts WHERE wallet = ? AND state IN ('ready', 'sent', 'claimed') LIMIT 1", (name,))
        is not None
    )


def in_flight_sats(tx: Tx, name: str) -> int:
    """What may be leaving the wallet right now: attempts that were sent and are not resolved."""
    row = tx.one(
        "SELECT coalesce(sum(amount_msat), 0) AS total FROM attempts WHERE wallet = ? AND state IN ('sent', 'claimed')",
        (name,),
    )
    return int(row["total"]) // MSAT if row else 0
