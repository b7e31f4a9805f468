"""`settlement …`: customer transactions, their story, and what can be done where one did not end well."""

from __future__ import annotations

import json
from typing import Any, Final, Literal

from handlers.commands import audit, lookup, shapes
from handlers.commands.fields import Key, Params, SettlementId, When, Whole, number_of
from handlers.commands.paging import MAX_ANSWER_BYTES, Listing, Paged, listing, written_bytes
from handlers.commands.payments import attempt_shapes, leg_shape
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import OPERATOR
from ledger.decide.retry import check_retry, retry
from ledger.errors import Code, Refusal
from ledger.model import Settlement
from ledger.money import fiat_text
from ledger.states import LegStatus, SettlementStatus, settlement_after
from ledger.views import worklist
from storage import audit_log, legs, lps, platform, reports, settlements, splits, stories
from storage.reports import SettlementRow

_EVIDENCE: Final = (1_000, 5, 1)
"""So many words of a wallet are told about each attempt; fewer, where all of it is too much for a message."""
_AUDIT: Final = 20
Status = Literal["unverified", "pending", "processing", "processed", "partial", "errored", "refunded", "rejected"]


class SettlementList(Paged):
    machine: Key | None = None
    status: Status | None = None
    since: When | None = None
    until: When | None = None


class SettlementNamed(Params):
    settlement: SettlementId


class Worklist(Params):
    threshold_minutes: Whole | None = None


@command(
    "settlement list",
    roles=OPERATOR,
    short=("settlements",),
    places=("machine", "status"),
    example="settlement list sintra status=errored",
)
def settlement_list(ctx: Context, params: SettlementList) -> Listing:
    """Customer transactions, the newest first."""
    rows = reports.settlements_page(
        ctx.tx,
        machine_id=lookup.machine(ctx, params.machine).id if params.machine else None,
        status=params.status,
        since=params.since,
        until=params.until,
        before_id=number_of("S", params.before, "before") if params.before else None,
        limit=params.limit + 1,
    )
    return listing(
        rows,
        params.limit,
        lambda row: f"S{row.settlement.id}",
        lambda row: shapes.settlement(row.settlement, row.machine),
    )


@command("settlement show", roles=OPERATOR, short=("show S",), places=("settlement",), example="settlement show S12")
def settlement_show(ctx: Context, params: SettlementNamed) -> dict[str, Any]:
    """The story of one transaction: its proof, every payment with its attempts, notes, who did what."""
    row = reports.settlement(ctx.tx, params.settlement)
    if row is None:
        raise Refusal(
            Code.NOT_FOUND, "there is no settlement S{id}: settlement list", field="settlement", id=params.settlement
        )
    most, *fewer = _EVIDENCE
    told = _story(ctx, row, most)
    while ctx.in_json and fewer and written_bytes(json.dumps(told, ensure_ascii=False)) > MAX_ANSWER_BYTES - 1_000:
        told = _story(ctx, row, fewer.pop(0))
    return told


def _story(ctx: Context, row: SettlementRow, most_evidence: int) -> dict[str, Any]:
    """All of it, in the order in which it happened: `payment show` has more of each payment."""
    found = row.settlement
    came = stories.origin(ctx.tx, found.id)
    return {
        **shapes.settlement(found, row.machine),
        "detail": row.detail,
        "event": {
            "id": came.event_id,
            "reported_at": found.reported_at,
            "arrived_at": found.created_at,
            "source": came.source,
            "seq": came.seq,
            "entered_by": came.entered_by,
            "receipt": came.receipt,
        },
        "proof": {
            "state": found.proof,
            "checked_at": found.proof_checked_at,
            "checks": came.proof_checks,
            "next_check_at": came.next_proof_at,
            "wallet": found.wallet,
        },
        "landed": _landed(found),
        "legs": [
            {**leg_shape(each), "attempts": attempt_shapes(ctx, each.leg.id, most_evidence)}
            for each in reports.legs_of(ctx.tx, found.id)
        ],
        "notes": [
            {"at": note.at, "author": note.author, "name": audit.name_of(ctx, note.author), "text": note.text}
            for note in reports.notes(ctx.tx, found.id)
        ],
        "audit": [audit.shape(ctx, line) for line in audit_log.of_settlement(ctx.tx, found.id, _AUDIT)],
    }


def _landed(found: Settlement) -> dict[str, Any] | None:
    """What it was before an operator scaled it."""
    if found.landed is None:
        return None
    was = found.landed
    return {
        "wire_sats": was.wire_sats,
        "principal_sats": was.principal_sats,
        "fee_sats": was.fee_sats,
        "platform_fee_sats": was.platform_fee_sats,
        "operator_fee_sats": was.operator_fee_sats,
        "fiat_amount": fiat_text(was.fiat_minor, found.currency),
    }


@command(
    "settlement retry",
    roles=OPERATOR,
    changes=True,
    short=("retry",),
    places=("settlement",),
    example="settlement retry S12",
)
def settlement_retry(ctx: Context, params: SettlementNamed) -> dict[str, Any]:
    """Plans the failed payments of an errored settlement again; what was paid is never paid again."""
    found = lookup.settlement(ctx, params.settlement)
    tx, now = ctx.tx, ctx.now
    before = legs.of_settlement(tx, found.id)
    unresolved = reports.unresolved_legs(tx, found.id)
    check_retry(found, before, unresolved)
    lps.take_due_targets(tx, now)
    decided = retry(
        found,
        before,
        unresolved,
        platform.load(tx),
        splits.effective(tx, found.machine_id),
        lps.standings(tx, found.machine_id),
    )
    for leg in decided.voided:
        legs.void(tx, leg, "replaced by a retry", now)
    settlements.set_status(tx, found.id, SettlementStatus.PENDING, now)
    settlements.set_status(tx, found.id, SettlementStatus.PROCESSING, now)
    legs.insert_plan(tx, found, decided.planned, now)
    after = legs.of_settlement(tx, found.id)
    if not any(leg.status is LegStatus.PENDING for leg in after):
        settlements.set_status(tx, found.id, settlement_after(leg.status for leg in after), now)
    tx.touch("legs")
    known = {leg.id for leg in before}
    ctx.record(
        f"S{found.id}",
        before={"status": found.status.value, "voided": [f"P{leg.id}" for leg in decided.voided]},
        after={"planned": [f"P{leg.id}" for leg in after if leg.id not in known]},
    )
    changed = reports.settlement(tx, found.id)
    assert changed is not None
    return {
        **shapes.settlement(changed.settlement, changed.machine),
        "legs": [leg_shape(each) for each in reports.legs_of(tx, found.id)],
    }


@command("worklist", roles=OPERATOR, short=("todo", "pendientes"), places=("threshold_minutes",), example="worklist")
def worklist_show(ctx: Context, params: Worklist) -> dict[str, Any]:
    """What did not settle cleanly and needs a person; with 0, everything that is unresolved."""
    minutes = ctx.settings.stuck_after_minutes if params.threshold_minutes is None else params.threshold_minutes
    items, unlisted = reports.worklist_facts(ctx.tx, ctx.now, minutes, ctx.settings.unmatched_after_seconds)
    return worklist(items, ctx.now, unlisted=unlisted, limit=64_000)
