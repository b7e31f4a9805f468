"""Attempts, their signed requests, and the evidence about them."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from ledger import journal as books
from ledger.decide.attempt import Dossier, Request, Seen, WalletProfile
from ledger.model import Attempt, Leg
from ledger.states import UNRESOLVED_ATTEMPT, AttemptState, EvidenceClass, LegStatus
from storage import journal, legs, payee_credits, purposes, wallets
from storage.db import Tx
from storage.witness import Fact
from storage.witness import Request as Signed


@dataclass(frozen=True, slots=True)
class NewAttempt:
    """An invoice that passed every check."""

    payment_hash: str
    invoice: str
    amount_msat: int
    payee_key: str | None
    expires_at: int
    verify_url: str | None


def from_row(row: sqlite3.Row) -> Attempt:
    return Attempt(
        payment_hash=row["payment_hash"],
        leg_id=row["leg_id"],
        wallet=row["wallet"],
        invoice=row["invoice"],
        amount_msat=row["amount_msat"],
        payee_key=row["payee_key"],
        state=AttemptState(row["state"]),
        created_at=row["created_at"],
        expires_at=row["expires_at"],
        sent_at=row["sent_at"],
        settled_at=row["settled_at"],
        preimage=row["preimage"],
        fees_msat=row["fees_msat"],
        verify_url=row["verify_url"],
        surplus=bool(row["surplus"]),
        next_check_at=row["next_check_at"],
        checks=row["checks"],
    )


def get(tx: Tx, payment_hash: str) -> Attempt | None:
    row = tx.one("SELECT * FROM attempts WHERE payment_hash = ?", (payment_hash,))
    return from_row(row) if row else None


def of_leg(tx: Tx, leg_id: int) -> list[Attempt]:
    return [from_row(row) for row in tx.all("SELECT * FROM attempts WHERE leg_id = ? ORDER BY created_at", (leg_id,))]


def leg_of(tx: Tx, payment_hash: str) -> int | None:
    """The leg for which this invoice was sent to a wallet, if it ever was."""
    row = tx.one("SELECT leg_id FROM attempts WHERE payment_hash = ? AND sent_at IS NOT NULL", (payment_hash,))
    return row["leg_id"] if row else None


def live(tx: Tx, leg_id: int) -> Attempt | None:
    """The one attempt of a leg that is ready, sent or claimed."""
    row = tx.one("SELECT * FROM attempts WHERE leg_id = ? AND state IN ('ready', 'sent', 'claimed')", (leg_id,))
    return from_row(row) if row else None


def unresolved(tx: Tx, leg_id: int) -> bool:
    """Whether a wallet has not said what became of an attempt of this leg."""
    attempt = live(tx, leg_id)
    return attempt is not None and attempt.state in UNRESOLVED_ATTEMPT


def in_doubt_with(tx: Tx, machine_id: int, lp_id: int) -> list[int]:
    """Legs of an LP at a machine that are closed unpaid, while a wallet has not said what became of an attempt."""
    rows = tx.all(
        "SELECT DISTINCT l.id FROM legs l CROSS JOIN attempts a ON a.leg_id = l.id AND a.state IN ('sent', 'claimed')"
        " WHERE l.lp_id = ? AND l.machine_id = ? AND l.status IN ('failed', 'voided', 'skipped') ORDER BY l.id",
        (lp_id, machine_id),
    )
    return [row["id"] for row in rows]


def claimed_before(tx: Tx, leg: Leg) -> bool:
    """Whether a wallet claims to have paid another leg whose place this one took: of the same settlement and payee, or,
    for a payout by order, of the same LP at the same machine."""
    values: tuple[int | str | None, ...] = (leg.settlement_id, leg.payee)
    legs_of = "l.settlement_id = ? AND l.payee = ?"
    if leg.settlement_id is None:
        legs_of, values = "l.lp_id = ? AND l.machine_id = ?", (leg.lp_id, leg.machine_id)
    row = tx.one(
        f"SELECT 1 FROM legs l CROSS JOIN attempts a ON a.leg_id = l.id WHERE {legs_of} AND l.id <> ?"  # noqa: S608
        " AND l.status IN ('failed', 'voided', 'skipped') AND a.state = 'claimed' LIMIT 1",
        (*values, leg.id),
    )
    return row is not None


def claimed_meanwhile(tx: Tx, leg_id: int) -> str | None:
    """The payment hash of an attempt of this leg that was released, and of which its wallet has claimed since that it
    paid it after all."""
    rows = tx.all("SELECT payment_hash FROM attempts WHERE leg_id = ? AND state = 'released'", (leg_id,))
    return next((row["payment_hash"] for row in rows if claimed_since(tx, row["payment_hash"])), None)


def claimed_since(tx: Tx, payment_hash: str) -> bool:
    """Whether a wallet has claimed that it paid this attempt since that was released."""
    row = tx.one(
        "SELECT 1 FROM attempts a JOIN evidence e ON e.payment_hash = a.payment_hash WHERE a.payment_hash = ?"
        " AND a.state = 'released' AND e.class = 'claim' AND e.id > (SELECT coalesce(max(o.id), 0) FROM evidence o"
        "  WHERE o.payment_hash = a.payment_hash AND o.source = 'operator') LIMIT 1",
        (payment_hash,),
    )
    return row is not None


def hash_known(tx: Tx, payment_hash: str) -> bool:
    """Whether this hash was ever seen: in an attempt, among what was forgotten, or as the payment of a settlement."""
    return (
        tx.one(
            "SELECT 1 FROM attempts WHERE payment_hash = :hash UNION ALL"
            " SELECT 1 FROM forgotten WHERE payment_hash = :hash UNION ALL"
            " SELECT 1 FROM settlements WHERE payment_hash = :hash LIMIT 1",
            {"hash": payment_hash},
        )
        is not None
    )


def insert_ready(tx: Tx, leg: Leg, new: NewAttempt, now: int) -> Attempt:
    """A checked invoice becomes the leg's live attempt; the database allows no other beside it."""
    tx.insert(
        "attempts",
        payment_hash=new.payment_hash,
        leg_id=leg.id,
        wallet=leg.wallet,
        invoice=new.invoice,
        amount_msat=new.amount_msat,
        payee_key=new.payee_key,
        state=AttemptState.READY.value,
        created_at=now,
        expires_at=new.expires_at,
        verify_url=new.verify_url,
        next_check_at=now,
    )
    stored = get(tx, new.payment_hash)
    assert stored is not None
    return stored


def set_sent(tx: Tx, payment_hash: str, now: int, next_check_at: int) -> bool:
    """From ready to sent; False when somebody else was first."""
    cursor = tx.run(
        "UPDATE attempts SET state = 'sent', sent_at = ?, next_check_at = ? WHERE payment_hash = ? AND state = 'ready'",
        (now, next_check_at, payment_hash),
    )
    return cursor.rowcount == 1


def insert_request(tx: Tx, payment_hash: str, event_id: str, event: str, created_at: int, expires_at: int) -> None:
    """Stores the bytes that may leave once this is committed."""
    insert_signed(tx, payment_hash, Signed(event_id, event, created_at, expires_at))


def insert_signed(tx: Tx, payment_hash: str, signed: Signed, answered_at: int | None = None) -> None:
    """It counts as published: where a crash prevents that it leaves, it is published again."""
    tx.leaving.append(fact_of(tx, payment_hash, signed))
    tx.insert(
        "requests",
        event_id=signed.event_id,
        payment_hash=payment_hash,
        event=signed.event,
        client=_client_of(signed.event),
        created_at=signed.created_at,
        expires_at=signed.expires_at,
        publishes=1,
        last_published_at=signed.created_at,
        answered_at=answered_at,
    )


def _client_of(event: str) -> str | None:
    """The key that a request is signed by; None where its bytes are lost."""
    try:
        return str(json.loads(event)["pubkey"])
    except (ValueError, TypeError, KeyError):
        return None


def fact_of(tx: Tx, payment_hash: str, signed: Signed | None) -> Fact:
    """What the witness is told of an attempt."""
    attempt = get(tx, payment_hash)
    assert attempt is not None
    leg = legs.get(tx, attempt.leg_id)
    assert leg is not None
    purpose = purposes.of(tx, leg)
    return Fact(
        payment_hash=payment_hash,
        leg=leg.id,
        settlement=purpose.settlement,
        type=purpose.type,
        payee=purpose.payee,
        wallet=attempt.wallet,
        invoice=attempt.invoice,
        amount_msat=attempt.amount_msat,
        payee_key=attempt.payee_key,
        created_at=attempt.created_at,
        expires_at=attempt.expires_at,
        verify_url=attempt.verify_url,
        request=signed,
    )


def unwitnessed(tx: Tx, event_ids: Container[str]) -> list[Fact]:
    """The facts of requests that were sent and may still leave, and are not among these: a crash came between."""
    rows = tx.all(
        "SELECT r.payment_hash, r.event_id, r.event, r.created_at, r.expires_at FROM attempts a"
        " JOIN requests r USING (payment_hash) WHERE a.state IN ('sent', 'claimed') ORDER BY r.created_at"
    )
    return [
        fact_of(tx, row["payment_hash"], Signed(row["event_id"], row["event"], row["created_at"], row["expires_at"]))
        for row in rows
        if row["event_id"] not in event_ids
    ]


def sent_since(tx: Tx, since: int) -> Iterator[str]:
    """Payment hashes of what a wallet was asked to pay, and that ended since then, or of which it has said anything."""
    rows = tx.run(
        "SELECT payment_hash FROM attempts WHERE sent_at IS NOT NULL AND ended_at >= ? UNION ALL"
        " SELECT payment_hash FROM attempts a WHERE state IN ('sent', 'claimed')"
        " AND EXISTS (SELECT 1 FROM evidence e WHERE e.payment_hash = a.payment_hash)",
        (since,),
    )
    for row in rows:
        yield row["payment_hash"]


def ended_before(tx: Tx, payment_hash: str, before: int) -> bool:
    row = tx.one("SELECT 1 FROM attempts WHERE payment_hash = ? AND ended_at < ?", (payment_hash, before))
    return row is not None


def all_ready(tx: Tx) -> list[Attempt]:
    """Of all wallets."""
    return [from_row(row) for row in tx.all("SELECT * FROM attempts WHERE state = 'ready' ORDER BY created_at")]


def any_sent(tx: Tx) -> bool:
    """Whether a wallet was ever asked to pay anything."""
    return tx.one("SELECT 1 FROM attempts WHERE sent_at IS NOT NULL LIMIT 1") is not None


def request_known(tx: Tx, event_id: str) -> bool:
    return tx.one("SELECT 1 FROM requests WHERE event_id = ?", (event_id,)) is not None


def put_back(tx: Tx, leg: Leg, fact: Fact, signed: Iterable[Signed], now: int) -> None:
    """An attempt that was sent and is not in these books, or was dropped in them, becomes the leg's live attempt again,
    with its requests. It must be among what was `forgotten`."""
    if get(tx, fact.payment_hash) is None:
        tx.insert(
            "attempts",
            payment_hash=fact.payment_hash,
            leg_id=leg.id,
            wallet=fact.wallet,
            invoice=fact.invoice,
            amount_msat=fact.amount_msat,
            payee_key=fact.payee_key,
            state=AttemptState.READY.value,
            created_at=fact.created_at,
            expires_at=fact.expires_at,
            verify_url=fact.verify_url,
            next_check_at=now,
        )
    send_in_doubt(tx, fact.payment_hash, signed, now)


def send_in_doubt(tx: Tx, payment_hash: str, signed: Iterable[Signed], now: int) -> None:
    """From ready or dropped to sent, because it may have been sent by a run of which these books know nothing. Without
    the bytes of that request a stand-in says that there was one, which lives as long as the invoice and is never
    repeated. Does nothing in any other state."""
    attempt = get(tx, payment_hash)
    assert attempt is not None
    requests = sorted(signed, key=lambda each: each.created_at)
    sent_at = requests[0].created_at if requests else attempt.created_at
    sent = tx.run(
        "UPDATE attempts SET state = 'sent', sent_at = ?, next_check_at = ?, ended_at = NULL, end_reason = NULL"
        " WHERE payment_hash = ? AND state IN ('ready', 'dropped')",
        (sent_at, now, payment_hash),
    )
    if sent.rowcount != 1:
        return
    stored = [add_forgotten(tx, payment_hash, each) for each in requests]
    if not any(stored):
        event_id = hashlib.sha256(f"a request that is not known: {payment_hash}".encode()).hexdigest()
        ends_at = max(attempt.expires_at, sent_at + 1)
        insert_signed(tx, payment_hash, Signed(event_id, "", sent_at, ends_at), answered_at=now)
    tx.touch("attempts")


def add_forgotten(tx: Tx, payment_hash: str, signed: Signed) -> bool:
    """Stores a request that a run made of which these books know nothing. Where another one of this invoice is known to
    live, only what is left of its life after that counts. False where that is nothing, or the attempt is not sent."""
    row = tx.one(
        "SELECT coalesce(max(expires_at), 0) AS until FROM requests WHERE payment_hash = ?",
        (payment_hash,),
    )
    attempt = get(tx, payment_hash)
    starts_at = max(signed.created_at, row["until"] if row else 0)
    if attempt is None or attempt.state is not AttemptState.SENT or starts_at >= signed.expires_at:
        return False
    if request_known(tx, signed.event_id):
        return False
    insert_signed(tx, payment_hash, replace(signed, created_at=starts_at))
    return True


def request_of(tx: Tx, event_id: str) -> str | None:
    """The payment hash that a request of ours was for."""
    row = tx.one("SELECT payment_hash FROM requests WHERE event_id = ?", (event_id,))
    return row["payment_hash"] if row else None


def request_event(tx: Tx, event_id: str) -> str:
    """The signed bytes, as they were stored before they left."""
    row = tx.one("SELECT event FROM requests WHERE event_id = ?", (event_id,))
    assert row is not None
    return str(row["event"])


def set_published(tx: Tx, event_id: str, now: int) -> None:
    tx.run("UPDATE requests SET publishes = publishes + 1, last_published_at = ? WHERE event_id = ?", (now, event_id))


def set_answered(tx: Tx, event_id: str, now: int) -> bool:
    """True for the first answer to this request, or the first since it was published again after a refusal."""
    cursor = tx.run(
        "UPDATE requests SET answered_at = :now, refused = 0 WHERE event_id = :id AND (answered_at IS NULL"
        " OR refused > 0 AND last_published_at > answered_at AND expires_at > :now)",
        {"now": now, "id": event_id},
    )
    return cursor.rowcount == 1


def set_refused(tx: Tx, event_id: str) -> None:
    """The answer was that the wallet did not even try: the same bytes may be published again."""
    tx.run("UPDATE requests SET refused = 1 WHERE event_id = ?", (event_id,))


def refused_since(tx: Tx, wallet: str, since: int) -> list[tuple[str, int]]:
    """Requests that the wallet has refused since then, with the msat that they are for."""
    rows = tx.all(
        "SELECT r.event_id, a.amount_msat FROM attempts a JOIN requests r USING (payment_hash)"
        " WHERE a.wallet = ? AND a.state = 'sent' AND r.refused = 1 AND r.answered_at >= ?",
        (wallet, since),
    )
    return [(row["event_id"], row["amount_msat"]) for row in rows]


def set_refused_for_nothing(tx: Tx, event_id: str) -> None:
    """The wallet refused it for a lack that it did not have: that is a try like any other."""
    tx.run("UPDATE requests SET refused = 2 WHERE event_id = ?", (event_id,))


def only_refused(tx: Tx, payment_hash: str) -> bool:
    """Whether the wallet's last word on each request of this attempt is that it did not even try, for a reason."""
    row = tx.one(
        "SELECT count(*) AS made, coalesce(sum(refused = 1), 0) AS refused FROM requests WHERE payment_hash = ?",
        (payment_hash,),
    )
    return row is not None and row["made"] == row["refused"] > 0


def check_now(tx: Tx, wallet: str, now: int) -> None:
    """The wallet pays again: what is in doubt there is looked at now."""
    tx.run("UPDATE attempts SET next_check_at = ? WHERE wallet = ? AND state = 'sent'", (now, wallet))
    tx.touch("attempts")


def add_evidence(
    tx: Tx,
    payment_hash: str,
    cls: EvidenceClass,
    source: str,
    *,
    asked_at: int,
    now: int,
    detail: dict[str, Any] | None,
) -> None:
    tx.insert(
        "evidence",
        payment_hash=payment_hash,
        **{"class": cls.value},
        source=source,
        asked_at=asked_at,
        received_at=now,
        detail=json.dumps(detail, separators=(",", ":"), ensure_ascii=False) if detail else None,
    )


def evidence_of(tx: Tx, payment_hash: str) -> tuple[Seen, ...]:
    """In the order in which it came."""
    return tuple(
        Seen(EvidenceClass(row["class"]), row["source"], row["asked_at"], row["received_at"])
        for row in tx.all(
            "SELECT class, source, asked_at, received_at FROM evidence WHERE payment_hash = ? ORDER BY id",
            (payment_hash,),
        )
    )


def requests_of(tx: Tx, payment_hash: str) -> tuple[Request, ...]:
    """The signed requests of an attempt, the oldest first."""
    return tuple(
        Request(
            r["event_id"],
            r["created_at"],
            r["expires_at"],
            r["publishes"],
            r["last_published_at"],
            r["answered_at"] is not None and not r["refused"],
        )
        for r in tx.all("SELECT * FROM requests WHERE payment_hash = ? ORDER BY created_at", (payment_hash,))
    )


def _sent_through(tx: Tx, attempt: Attempt, wallet: wallets.Wallet) -> str | None:
    """The key of the connection that an attempt was first sent through; None: of an earlier one that is not known. The
    signature says it, whatever the clock said then; where its bytes are lost, the time has to."""
    row = tx.one(
        "SELECT client FROM requests WHERE payment_hash = ? AND client IS NOT NULL ORDER BY created_at LIMIT 1",
        (attempt.payment_hash,),
    )
    if row is not None:
        return str(row["client"])
    return wallet.client_pubkey if (attempt.sent_at or 0) > wallet.connected_at else None


def dossier(tx: Tx, payment_hash: str, quarantine_override: int) -> Dossier | None:
    attempt = get(tx, payment_hash)
    if attempt is None:
        return None
    evidence = evidence_of(tx, payment_hash)
    wallet = wallets.get(tx, attempt.wallet)
    leg = legs.get(tx, attempt.leg_id)
    assert wallet is not None
    assert leg is not None
    return Dossier(
        attempt,
        requests_of(tx, payment_hash),
        evidence,
        # Another wallet may have been behind the connection when this was sent.
        wallet.profile if (attempt.sent_at or 0) > wallet.profile_since else WalletProfile.UNKNOWN,
        quarantine_override,
        wallet_paused=wallet.paused_at is not None,
        repays=wallet.repays,
        may_pay=leg.status is LegStatus.PENDING and legs.may_be_paid(tx, leg),
        sent_here=_sent_through(tx, attempt, wallet) == wallet.client_pubkey,
        connected_at=wallet.connected_at,
    )


def ready(tx: Tx, wallet: str) -> list[Attempt]:
    """Attempts that were never published: to be sent, or dropped when it is too late."""
    rows = tx.all("SELECT * FROM attempts WHERE wallet = ? AND state = 'ready' ORDER BY created_at", (wallet,))
    return [from_row(row) for row in rows]


def to_check(tx: Tx, wallet: str, now: int, limit: int, exclude: Iterable[str]) -> list[Attempt]:
    """Unresolved attempts of a wallet that are to be looked at now; `exclude` are those that a worker has in hand."""
    busy = set(exclude)
    rows = tx.all(
        "SELECT * FROM attempts WHERE wallet = ? AND state IN ('sent', 'claimed') AND next_check_at <= ?"
        " ORDER BY next_check_at LIMIT ?",
        (wallet, now, limit + len(busy)),
    )
    return [from_row(row) for row in rows if row["payment_hash"] not in busy][:limit]


def next_check_at(tx: Tx, wallet: str, now: int) -> int | None:
    """When the next live attempt that is not due yet comes due."""
    row = tx.one(
        "SELECT min(next_check_at) AS at FROM attempts WHERE wallet = ? AND state IN ('sent', 'claimed')"
        " AND next_check_at > ?",
        (wallet, now),
    )
    return row["at"] if row else None


def all_due_now(tx: Tx, now: int) -> None:
    """At start every live attempt is looked at before anything new is paid."""
    tx.run("UPDATE attempts SET next_check_at = ?, checks = 0 WHERE state IN ('sent', 'claimed')", (now,))


def check_no_later_than(tx: Tx, latest: int) -> None:
    """A clock that was ahead and came back must not leave attempts waiting for a day that is far away."""
    tx.run(
        "UPDATE attempts SET next_check_at = ? WHERE state IN ('sent', 'claimed') AND next_check_at > ?",
        (latest, latest),
    )


def requests_to_expect(tx: Tx, wallet: str, since: int) -> list[str]:
    """Requests to which an answer may still come: those of attempts that live, and of those that ended since."""
    rows = tx.all(
        "SELECT r.event_id FROM requests r JOIN attempts a USING (payment_hash) WHERE a.wallet = ?"
        " AND (a.state IN ('sent', 'claimed') OR a.ended_at >= ?)",
        (wallet, since),
    )
    return [row["event_id"] for row in rows]


def check_again(tx: Tx, payment_hash: str, next_check_at: int, *, counts: bool) -> None:
    tx.run(
        "UPDATE attempts SET next_check_at = ?, checks = checks + ? WHERE payment_hash = ?",
        (next_check_at, int(counts), payment_hash),
    )
    tx.touch("attempts")


def claim_paid(tx: Tx, payment_hash: str, next_check_at: int) -> None:
    """The wallet says paid without proof: from now on this is the leg's live attempt, also if it was released."""
    tx.run(
        "UPDATE attempts SET state = 'claimed', next_check_at = ?, checks = 0, ended_at = NULL, end_reason = NULL"
        " WHERE payment_hash = ?",
        (next_check_at, payment_hash),
    )
    tx.touch("attempts")


def settle(tx: Tx, attempt: Attempt, preimage: str, fees_msat: int, now: int) -> bool:
    """Stores the proof, completes the leg and books both. True when this was a second payment of the leg: then the
    payee owes it, and its next legs are lowered by it."""
    leg = legs.get(tx, attempt.leg_id)
    assert leg is not None
    paid = leg.status is LegStatus.COMPLETED or leg.status is LegStatus.REFUNDED
    gone = leg.status in (LegStatus.VOIDED, LegStatus.SKIPPED)
    # A credit that was set off meanwhile makes the leg owe less than this attempt has paid.
    surplus = paid or gone or attempt.amount_msat != leg.due_msat or not legs.room_for(tx, leg)
    tx.run(
        "UPDATE attempts SET state = 'settled', preimage = ?, fees_msat = ?, settled_at = ?, ended_at = ?, surplus = ?"
        " WHERE payment_hash = ?",
        (preimage, fees_msat, now, now, int(surplus), attempt.payment_hash),
    )
    wallets.paid(tx, attempt.wallet)
    if surplus:
        payee_credits.add(tx, leg.payee, attempt.payment_hash, attempt.amount_msat, now)
        journal.append(tx, books.surplus_paid(leg, attempt.amount_msat, fees_msat), now)
    else:
        legs.complete(tx, leg, fees_msat, now)
    return surplus


def end(tx: Tx, attempt: Attempt, state: AttemptState, reason: str, now: int) -> None:
    """Releases or drops an attempt: only after this may its leg have another invoice."""
    assert state in (AttemptState.RELEASED, AttemptState.DROPPED)
    tx.run(
        "UPDATE attempts SET state = ?, ended_at = ?, end_reason = ? WHERE payment_hash = ?",
        (state.value, now, reason, attempt.payment_hash),
    )
    tx.touch("legs")


def drop_ready(tx: Tx, leg_id: int, reason: str, now: int) -> None:
    """An order takes its leg away from an invoice that was never published."""
    attempt = live(tx, leg_id)
    if attempt is not None and attempt.state is AttemptState.READY:
        end(tx, attempt, AttemptState.DROPPED, reason, now)


def control_hash(tx: Tx, attempt: Attempt) -> tuple[str, str] | None:
    """A payment that is known to be settled, and its direction: what a control look-up about this attempt must find.

    It was made through the same connection as the attempt: only the wallet behind that one has it. What another
    connection paid says nothing of this attempt, and need not be known to a wallet that is asked through this one.
    """
    wallet = wallets.get(tx, attempt.wallet)
    through = _sent_through(tx, attempt, wallet) if wallet is not None else None
    if wallet is None or through is None:
        return None
    row = tx.one(
        "SELECT payment_hash, 'outgoing' AS direction FROM attempts a WHERE wallet = ? AND state = 'settled'"
        " AND (SELECT client FROM requests r WHERE r.payment_hash = a.payment_hash AND client IS NOT NULL"
        "      ORDER BY created_at LIMIT 1) = ?"
        " ORDER BY settled_at DESC LIMIT 1",
        (wallet.name, through),
    )
    if row is None and through == wallet.client_pubkey:
        row = tx.one(
            "SELECT payment_hash, CASE tx_type WHEN 'cash_out' THEN 'incoming' ELSE 'outgoing' END AS direction"
            " FROM settlements WHERE wallet = ? AND proof = 'settled' AND proof_checked_at >= ?"
            " ORDER BY id DESC LIMIT 1",
            (wallet.name, wallet.connected_at),
        )
    return (row["payment_hash"], row["direction"]) if row else None


def settled_between(tx: Tx, wallet: str, since: int, until: int) -> dict[str, int]:
    """What this wallet paid, by proof that came from `since` to `until`: payment hash to msat."""
    rows = tx.run(
        "SELECT payment_hash, amount_msat FROM attempts"
        " WHERE wallet = ? AND state = 'settled' AND settled_at BETWEEN ? AND ?",
        (wallet, since, until),
    )
    return {row["payment_hash"]: row["amount_msat"] for row in rows}


def under_way_msat(tx: Tx, wallet: str, *, stored: bool) -> int:
    """What may be leaving this wallet: attempts that were sent and are not resolved; with `stored` those, too, that are
    ready to be sent."""
    row = tx.one(
        "SELECT (SELECT coalesce(sum(amount_msat), 0) FROM attempts"
        "        WHERE wallet = :wallet AND state = 'ready' AND :stored)"
        " + (SELECT coalesce(sum(amount_msat), 0) FROM attempts"
        "    WHERE wallet = :wallet AND state IN ('sent', 'claimed')) AS total",
        {"wallet": wallet, "stored": stored},
    )
    return int(row["total"]) if row else 0


def settled_msat(tx: Tx, wallet: str, since: int) -> int:
    """What this wallet paid, by proof that came since then."""
    row = tx.one(
        "SELECT coalesce(sum(amount_msat), 0) AS total FROM attempts"
        " WHERE wallet = ? AND state = 'settled' AND settled_at >= ?",
        (wallet, since),
    )
    return int(row["total"]) if row else 0
