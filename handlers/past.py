"""A database from the past: noticed at the start by its witness, or later by what a wallet shows. Nothing new is paid
until what these books forgot is known and each payment has met its leg, or an operator has looked and says so.

A payment that was sent is never forgotten for good: it stands in the witness, in the wallet's list, or in both. It
waits (`storage.forgotten`) for the leg that it paid, and becomes an attempt of it; its proof is looked for as for any
other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from handlers import notices
from handlers.alarms import telling
from ledger.alarms import Cause
from ledger.fees import TxType
from ledger.model import Leg
from ledger.money import MSAT
from ledger.states import AttemptState, LegType
from nwc import bolt11
from nwc.bolt11 import BadInvoice
from nwc.evidence import Listing
from nwc.messages import Transaction
from storage import (
    attempts,
    forgotten,
    holds,
    journal,
    legs,
    meta,
    purposes,
    settlements,
    trials,
    unmatched,
    wallets,
)
from storage.db import Tx
from storage.forgotten import Forgotten
from storage.purposes import Purpose
from storage.settlements import mark_view
from storage.witness import Fact, Mark, Trust, Witness

KEEP_SECONDS: Final = 30 * 86_400
"""So long after its end the witness tells of a payment."""
SMALL_WITNESS_BYTES: Final = 4_000_000
"""A witness that is smaller is left as it is."""
MARGIN_SECONDS: Final = 3_600
"""A wallet's clock may be behind ours when it dates a payment."""
AFTER_SECONDS: Final = 30
"""So long after the last word of a witness what followed from it was published."""
PATIENCE_SECONDS: Final = 1_800
"""A wallet whose list was not read for so long may never give it."""
SHOWN: Final = 3

BEHIND: Final = "the database is older than its witness: a backup was restored"
GONE: Final = "the database has no witness beside it: it may be a restored backup"
DAMAGED: Final = "the witness of the database is damaged: it may be a restored backup"
OUTRUN: Final = "the witness is older than the database: both may be restored backups"
ELSEWHERE: Final = "a wallet shows a payment of ours that the books don't know: they may be a restored backup"
SAID_ELSEWHERE: Final = (
    "a relay keeps messages of this bot that the books don't know: they may be a restored backup, or a second bot has "
    "its key"
)

_STATE: Final = "past"
_OWN_SINCE: Final = "own books since"
_UNSEEN: Final = "unseen "
_HEX: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")


@dataclass(slots=True)
class State:
    """Of the search for what was forgotten."""

    since: int
    """What was sent before is in the books, unix seconds."""
    found_at: int
    witnessed: bool
    """Whether the witness tells of everything that was sent."""
    read: list[str]
    """The wallets whose lists were read to the end."""
    told_until: int = 0
    """When the witness noted its last word, unix seconds."""


def state(tx: Tx) -> State | None:
    said = meta.get(tx, _STATE)
    return State(**json.loads(said)) if said else None


# --- noticing --------------------------------------------------------------------------------------------------------


def begin(tx: Tx, witness: Witness, operators: Iterable[str], now: int) -> bool:
    """At the start, before anything else: compares database and witness. Returns whether payments are held for it."""
    if meta.get(tx, _OWN_SINCE) is None:
        meta.put(tx, _OWN_SINCE, str(now))
    why = _noticed(tx, witness, now)
    if why is not None:
        told_until = witness.newest if why == BEHIND else None
        _enter(tx, why, _unknown(tx, witness), told_until=told_until, operators=operators, now=now)
    tx.leaving += attempts.unwitnessed(tx, witness.requests)
    tx.marks = True
    return holds.get(tx, holds.PAST) is not None


def compact(tx: Tx, witness: Witness, now: int) -> None:
    """Leaves out of the witness what ended long ago. For a database that is not held for its past."""
    if witness.size() < SMALL_WITNESS_BYTES or holds.get(tx, holds.PAST) is not None:
        return
    witness.rewrite(lambda payment_hash: not attempts.ended_before(tx, payment_hash, now - KEEP_SECONDS))


def _noticed(tx: Tx, witness: Witness, now: int) -> str | None:
    if witness.trust is Trust.NONE:
        return GONE if attempts.any_sent(tx) else None
    if witness.trust is Trust.DAMAGED:
        return DAMAGED
    if (witness.mark is not None and not _has(tx, witness.mark)) or next(iter(_unknown(tx, witness)), None):
        return BEHIND
    newest = attempts.sent_since(tx, now - KEEP_SECONDS + 86_400)
    return OUTRUN if any(payment_hash not in witness.hashes for payment_hash in newest) else None


def _has(tx: Tx, mark: Mark) -> bool:
    """Whether the books were once as the mark says: both chains go through it."""
    for table, number, digest in (("journal", mark.journal, mark.journal_hash), ("audit", mark.audit, mark.audit_hash)):
        if number and tx.one(f"SELECT 1 FROM {table} WHERE id = ? AND hash = ?", (number, digest)) is None:  # noqa: S608
            return False
    return True


def _unknown(tx: Tx, witness: Witness) -> Iterable[Fact]:
    for fact in witness.facts():
        known = fact.request is None or attempts.request_known(tx, fact.request.event_id)
        if not known and not forgotten.has(tx, fact):
            yield fact


def own_since(tx: Tx) -> int:
    """What of the bot's own was signed later, unix seconds, is from these books, or they are not the only ones: they
    were made then, or an operator has last looked then into what they lack."""
    return int(meta.get(tx, _OWN_SINCE) or 0)


def said_elsewhere(tx: Tx, operators: Iterable[str], *, known_until: int, newest: int, now: int) -> None:
    """A relay keeps what these books never signed, the newest of it of `newest`, and said nothing of the kind at
    `known_until`. What is later than all that the witness tells of shows that it is a copy from before, too."""
    if holds.get(tx, holds.PAST) is None:
        _enter(tx, SAID_ELSEWHERE, (), told_until=None, operators=operators, now=now, known_until=known_until)
        return
    found = state(tx)
    if found is not None and newest > found.told_until + AFTER_SECONDS:
        _not_witnessed(tx)


def _enter(
    tx: Tx,
    why: str,
    unknown: Iterable[Fact],
    *,
    told_until: int | None,
    operators: Iterable[str],
    now: int,
    known_until: int | None = None,
) -> None:
    """`told_until`: None where the witness does not tell of everything that was sent."""
    witnessed = told_until is not None
    before, facts = state(tx), list(unknown)
    since = min(meta.newest_time(tx) or min((fact.created_at for fact in facts), default=now), now)
    if known_until is not None:
        since = min(since, known_until)
    if before is not None:
        since, witnessed = min(before.since, since), witnessed and before.witnessed
    _keep(tx, State(since, now, witnessed, [], told_until or 0))
    for fact in facts:
        _take(tx, fact, now)
    for attempt in attempts.all_ready(tx):
        forgotten.doubt(tx, attempt, (), now)  # a witness that was copied along does not know of it either
    forgotten.meet(tx, now)
    journal.record(
        tx, at=now, who="satmachine", command="hold", target=holds.PAST, after={"why": why, "forgotten": len(facts)}
    )
    mark_view(tx, "worklist")
    if holds.put(tx, holds.PAST, why, now):
        told = {"why": why, "since": since, "witnessed": witnessed}
        telling.raise_(tx, Cause.PAST, "", told, operators, now, mark=str(now))


def _take(tx: Tx, fact: Fact, now: int) -> None:
    """Whatever the books say of it, the fact is known to them from here on."""
    attempt = attempts.get(tx, fact.payment_hash)
    if attempt is None or attempt.state is AttemptState.DROPPED:
        forgotten.put(tx, fact, known_purpose=True, settled=False, now=now)
        return
    forgotten.put(tx, fact, known_purpose=True, settled=False, now=now, state="back")
    if fact.request is None:
        return
    if attempt.state is AttemptState.READY:
        attempts.send_in_doubt(tx, fact.payment_hash, (fact.request,), now)
    else:
        attempts.add_forgotten(tx, fact.payment_hash, fact.request)


# --- the wallets' lists ----------------------------------------------------------------------------------------------


def asked_too_early(found: State, asked_at: int, request_seconds: int) -> bool:
    """Whether a request that nobody here knows may have been on its way to the wallet still when its list was read:
    `request_seconds` is for how long one may be."""
    return asked_at < found.found_at + request_seconds


def note_lists(tx: Tx, wallet: str, settled: Listing, everything: Listing, *, counts: bool, now: int) -> None:
    """What a wallet shows as sent since the gap began: `everything` with unpaid ones, `settled` without, asked after
    it. With `counts` both were asked late enough, and this wallet need not be read again where they are whole."""
    found = state(tx)
    if found is None:
        return
    paid = {row.payment_hash for row in settled.rows if row.direction == "outgoing"}
    for row in (*settled.rows, *everything.rows):
        if row.direction == "outgoing" and (purpose_of(row) is not None or _sent_since(row, found.since)):
            _note(tx, wallet, row, settled=row.payment_hash in paid, known_until=found.since, now=now)
    forgotten.meet(tx, now)
    if counts and settled.complete and everything.complete and wallet not in found.read:
        found = state(tx) or found
        found.read = sorted({*found.read, wallet})
        _keep(tx, found)


def finish(tx: Tx, wallets: Collection[str], operators: Iterable[str], now: int) -> bool:
    """Lifts the hold where nothing is left to find out: every wallet's list was read, the witness told of everything
    that was sent, and each payment belongs to a transaction of these books. Otherwise the operators are told once what
    is left."""
    found = state(tx)
    if found is None or holds.get(tx, holds.PAST) is None:
        return False
    unread = sorted(set(wallets) - set(found.read))
    if unread:
        if now >= found.found_at + PATIENCE_SECONDS and meta.get(tx, f"{_STATE} unread") != " ".join(unread):
            meta.put(tx, f"{_STATE} unread", " ".join(unread))
            notices.tell(tx, operators, "notice past unread", {"wallets": unread}, now)
        return False
    forgotten.meet(tx, now)
    waiting = [each for each in forgotten.waiting(tx) if each.purpose is not None or not _explained(tx, each.fact)]
    homeless = any(_homeless(tx, each.purpose) for each in waiting)
    facts: dict[str, Any] = {
        "waiting": len(waiting),
        "unexplained": sum(each.purpose is None for each in waiting),
        "witnessed": found.witnessed,
    }
    if found.witnessed and not homeless:
        lift(tx, now)
        holds.lift(tx, holds.PAST)
        mark_view(tx, "worklist")
        journal.record(tx, at=now, who="satmachine", command="hold lift", target=holds.PAST, after=facts)
        telling.over(tx, Cause.PAST, "", operators, now, ("notice past over", facts))
        return True
    if meta.get(tx, f"{_STATE} told") != json.dumps(facts):
        meta.put(tx, f"{_STATE} told", json.dumps(facts))
        notices.tell(tx, operators, "notice past stays", facts, now)
    return False


def _homeless(tx: Tx, purpose: Purpose | None) -> bool:
    """Whether these books lack what it was paid for, so that the balances of LPs are wrong by it."""
    return purpose is None or purpose.settlement is None or settlements.owner_of_payment(tx, purpose.settlement) is None


def _explained(tx: Tx, fact: Fact) -> bool:
    """Whether a payment of which nobody knew what for turns out to be a customer's, by a report that came back: then it
    waits no more."""
    owner = settlements.owner_of_payment(tx, fact.payment_hash)
    if owner is None or owner.tx_type is not TxType.CASH_IN or owner.wallet != fact.wallet:
        return False
    forgotten.drop(tx, fact.payment_hash)
    return True


def match(tx: Tx, found: Forgotten, leg: Leg, now: int) -> None:
    """By the operator's word it paid this leg, which must be `forgotten.fitting`."""
    forgotten.match(tx, found, leg, now)
    if found.purpose is None:
        _not_witnessed(tx)


def _not_witnessed(tx: Tx) -> None:
    """The witness did not tell of something that was sent."""
    found = state(tx)
    if found is not None and found.witnessed:
        found.witnessed = False
        _keep(tx, found)


def lift(tx: Tx, now: int) -> None:
    """The search is over. What waits for its leg waits on, and stands before what may be that."""
    meta.put(tx, _OWN_SINCE, str(now))
    meta.drop(tx, _STATE)
    meta.drop(tx, f"{_STATE} told")
    meta.drop(tx, f"{_STATE} unread")


def unsearched(tx: Tx, wallet: str, leg_ids: Sequence[int]) -> int | None:
    """From when on this wallet's list is to be searched before any of these legs is paid, unix seconds: none was paid
    from it yet, or none for a customer who paid so long ago. None: it has been searched."""
    owed_since = legs.owed_since(tx, leg_ids)
    known = wallets.get(tx, wallet)
    searched_from = known.searched_from if known is not None else None
    if owed_since is None or (searched_from is not None and searched_from <= owed_since):
        return None
    open_since = settlements.open_since(tx, wallet)
    return owed_since if open_since is None else min(owed_since, open_since)


def note_search(
    tx: Tx, wallet: str, settled: Listing, everything: Listing, *, since: int, operators: Iterable[str], now: int
) -> bool:
    """What a wallet shows as sent before these books first pay from it: they may be new, or a copy that has never paid,
    and neither would be noticed otherwise. A payment of ours holds all; of any other nobody knows what for, and it
    stands before what is due its very amount. False where the wallet did not show all of it."""
    paid = {row.payment_hash for row in settled.rows if row.direction == "outgoing"}
    for row in (*settled.rows, *everything.rows):
        if row.direction != "outgoing" or not _sent_since(row, since) or trials.known(tx, row.payment_hash):
            continue
        ours = purpose_of(row) is not None and not _known(tx, wallet, row)
        if ours and holds.get(tx, holds.PAST) is None:
            _enter(tx, ELSEWHERE, (), told_until=None, operators=operators, now=now, known_until=since)
        attempt = attempts.get(tx, row.payment_hash)
        if attempt is None or attempt.state is not AttemptState.READY:
            _note(tx, wallet, row, settled=row.payment_hash in paid, known_until=0, now=now)
        elif row.payment_hash in paid or _under_way(row):
            forgotten.doubt(tx, attempt, (), now)  # another run of the bot has sent it
    forgotten.meet(tx, now)
    whole = settled.complete and everything.complete
    if whole:
        wallets.set_searched(tx, wallet, since)
        meta.drop(tx, _UNSEEN + wallet)
    return whole


def pay_unseen(tx: Tx, wallet: str, operators: Iterable[str], now: int) -> None:
    """The wallet does not show what it sent before these books first pay from it, and is paid from all the same: the
    operators are told once."""
    if meta.get(tx, _UNSEEN + wallet) is None:
        meta.put(tx, _UNSEEN + wallet, str(now))
        notices.tell(tx, operators, "notice wallet unseen", {"wallet": wallet}, now)


def never_paid(tx: Tx) -> bool:
    """Whether nothing was ever paid, as far as books and witness tell."""
    return not attempts.any_sent(tx) and not forgotten.any_known(tx)


def seen_elsewhere(tx: Tx, wallet: str, row: Transaction, operators: Iterable[str], now: int) -> bool:
    """A wallet shows a payment. True where it is one of ours that the books don't know: then payments are held."""
    if row.direction != "outgoing" or purpose_of(row) is None or _known(tx, wallet, row):
        return False
    if holds.get(tx, holds.PAST) is None:
        # What these books booked since they were put back says nothing of when they were copied.
        known_until = min(row.created_at or row.settled_at or now, wallets.known_until(tx))
        _enter(tx, ELSEWHERE, (), told_until=None, operators=operators, now=now, known_until=known_until)
    _note(tx, wallet, row, settled=True, known_until=0, now=now)
    forgotten.meet(tx, now)
    return True


def _sent_since(row: Transaction, since: int) -> bool:
    at = max(row.created_at or 0, row.settled_at or 0)
    return not at or at >= since - MARGIN_SECONDS


def _known(tx: Tx, wallet: str, row: Transaction) -> bool:
    attempt = attempts.get(tx, row.payment_hash)
    if (attempt is not None and attempt.sent_at is not None) or forgotten.known(tx, row.payment_hash):
        return True
    # A machine that reports what is ours hides nothing by that.
    return purpose_of(row) is None and (
        settlements.explains(tx, wallet, row.payment_hash, "outgoing") or trials.known(tx, row.payment_hash)
    )


def _note(tx: Tx, wallet: str, row: Transaction, *, settled: bool, known_until: int, now: int) -> None:
    """`known_until`: up to then these books are whole, and what they have as unmatched is none of ours."""
    if row.amount_msat <= 0:
        return
    purpose, fees_msat = purpose_of(row), row.fees_paid_msat or 0
    fact = _fact(wallet, row, purpose, now)
    if _known(tx, wallet, row):
        if settled:
            forgotten.set_settled(tx, fact, fees_msat)
        if purpose is not None and forgotten.get(tx, row.payment_hash) is not None:
            forgotten.put(tx, fact, known_purpose=True, settled=settled, now=now)
        return
    if purpose is None and (
        unmatched.known(tx, row.payment_hash, until=known_until) or not (settled or _under_way(row))
    ):
        return
    if purpose is not None:
        _not_witnessed(tx)
    forgotten.put(tx, fact, known_purpose=purpose is not None, settled=settled, now=now, fees_msat=fees_msat)


def _under_way(row: Transaction) -> bool:
    return row.state in ("pending", "accepted") or (row.state is None and row.settled_at is None)


def _fact(wallet: str, row: Transaction, purpose: Purpose | None, now: int) -> Fact:
    """As far as the wallet's list tells."""
    created_at = row.created_at or row.settled_at or now
    expires_at = row.expires_at or now + 86_400
    payee_key, amount_msat = None, row.amount_msat
    try:
        invoice = bolt11.decode(row.invoice or "")
    except BadInvoice:
        pass
    else:
        expires_at, payee_key = invoice.expires_at, invoice.payee
        amount_msat = invoice.amount_msat or amount_msat  # some wallets list what left them, with the fee
    leg = str(row.metadata.get("leg", "")).removeprefix("P")
    return Fact(
        payment_hash=row.payment_hash,
        leg=int(leg) if leg.isascii() and leg.isdigit() and len(leg) < 16 else 0,
        settlement=purpose.settlement if purpose else None,
        type=purpose.type if purpose else "",
        payee=purpose.payee if purpose else "",
        wallet=wallet,
        invoice=row.invoice or "",
        amount_msat=amount_msat,
        payee_key=payee_key,
        created_at=created_at,
        expires_at=max(expires_at, created_at + 1),
        verify_url=None,
        request=None,
    )


# --- what a payment is for -------------------------------------------------------------------------------------------


def metadata(tx: Tx, leg_id: int) -> dict[str, object]:
    """What goes with a payment request into the wallet's own records: for people the leg's id, for a database from the
    past what the payment is for."""
    leg = legs.get(tx, leg_id)
    assert leg is not None
    return {"leg": f"P{leg_id}", **asdict(purposes.of(tx, leg))}


def purpose_of(row: Transaction) -> Purpose | None:
    """What we said of a payment, as the wallet has kept it; None where it has not."""
    said = {name: row.metadata.get(name) for name in ("settlement", "type", "payee")}
    settlement, kind, payee = said["settlement"], said["type"], said["payee"]
    if not isinstance(kind, str) or not isinstance(payee, str) or not _HEX.fullmatch(payee):
        return None
    if kind not in {each.value for each in LegType}:
        return None
    if settlement is not None and not (isinstance(settlement, str) and _HEX.fullmatch(settlement)):
        return None
    return Purpose(settlement, kind, payee)


# --- for people ------------------------------------------------------------------------------------------------------


def shape(tx: Tx, configured: Iterable[str]) -> dict[str, Any]:
    """How far the search is, as JSON shows it."""
    found = state(tx)
    waiting = forgotten.waiting(tx)
    return {
        "unread": sorted(set(configured) - set(found.read)) if found else [],
        "witnessed": found is not None and found.witnessed,
        "forgotten": [shape_of(tx, each) for each in waiting[:SHOWN]],
        "count": len(waiting),
    }


def shape_of(tx: Tx, each: Forgotten) -> dict[str, Any]:
    return {
        "payment_hash": each.fact.payment_hash,
        "wallet": each.fact.wallet,
        "amount_sats": each.fact.amount_msat // MSAT,
        "at": each.fact.created_at,
        "settled": each.settled,
        "settlement": each.purpose.settlement if each.purpose else None,
        "type": each.purpose.type if each.purpose else None,
        "may_be": [f"P{leg_id}" for leg_id in forgotten.fitting(tx, each, SHOWN)],
        "planned_otherwise": _planned_otherwise(tx, each.purpose),
    }


def _planned_otherwise(tx: Tx, purpose: Purpose | None) -> str | None:
    """The settlement of these books that it paid for, where that was shared out without it, so that no leg fits."""
    if purpose is None or purpose.settlement is None:
        return None
    owner = settlements.owner_of_payment(tx, purpose.settlement)
    return f"S{owner.id}" if owner is not None and legs.of_settlement(tx, owner.id) else None


def _keep(tx: Tx, found: State) -> None:
    meta.put(tx, _STATE, json.dumps(asdict(found)))
