"""`lp settle`: the operator pays out what an LP still has in a machine. When this has run, its leg can be paid.

`check` refuses, or says what would be done now, and changes nothing: it makes the preview of the money order.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from ledger.decide.lp_settle import LpSettlement, settle_lp
from ledger.errors import Code, Refusal
from ledger.model import Leg, LpStanding, Machine
from ledger.money import decimal_text, fiat_text
from storage import attempts, forgotten, journal, legs, lps, wallets
from storage.db import Tx
from storage.lps import Lp


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator orders."""

    rate: Decimal
    """Sats for one unit of fiat."""
    fiat_minor: int | None = None
    """None: all that remains, which is also the most that is paid."""
    wallet: str | None = None
    """None: the machine's."""


def check(tx: Tx, machine: Machine, lp: Lp, wanted: Wanted, *, configured: Collection[str], now: int) -> LpSettlement:
    """`configured` are the names of the wallets that can be paid from. Refuses `not_found`, `bad_request`, `bad_state`,
    `not_onboarded`, `unresolved_payment`."""
    enrolled = lps.enrolment(tx, machine.id, lp.id)
    if enrolled is None:
        raise Refusal(
            Code.NOT_FOUND,
            "{lp} is not enrolled at {machine}: lp add {machine} {lp}",
            field="lp",
            lp=lp.name,
            machine=machine.name,
        )
    wallet = machine.wallet if wanted.wallet is None else wanted.wallet
    if wallet not in configured or wallets.get(tx, wallet) is None:
        raise Refusal(
            Code.BAD_REQUEST,
            "wallet must be one of the configured wallets ({known})",
            field="wallet",
            known=", ".join(sorted(configured)) or "none",
        )
    due = lp.next_target_at is not None and lp.next_target_at <= now
    standing = LpStanding(
        lp_id=lp.id,
        name=lp.name,
        pubkey=lp.pubkey,
        target=lp.next_target if due else lp.target,
        mode=lp.mode,
        status=enrolled.status,
        available_minor=enrolled.deposited_minor - enrolled.paid_minor - enrolled.reserved_minor,
    )
    return settle_lp(
        machine,
        standing,
        legs.unpaid_payouts(tx, machine.id, lp.id),
        attempts.in_doubt_with(tx, machine.id, lp.id),
        wallet=wallet,
        rate=wanted.rate,
        fiat_minor=wanted.fiat_minor,
    )


def settle(
    tx: Tx,
    machine: Machine,
    lp: Lp,
    wanted: Wanted,
    *,
    configured: Collection[str],
    note: str | None,
    by: str,
    now: int,
    command: str = "lp settle",
) -> tuple[LpSettlement, Leg]:
    """Reserves the fiat and lets the wallet pay what it is worth. An earlier one that was not paid is replaced by it.
    Writes its line into the audit log; `by` is the operator's public key. Refuses as `check` does."""
    decided = check(tx, machine, lp, wanted, configured=configured, now=now)
    for leg in decided.replaced:
        legs.void(tx, leg, "replaced by another payout", now)
    leg = legs.insert_order(tx, machine, decided.wallet, decided.leg, now)
    forgotten.meet(tx, now)
    journal.record(
        tx,
        at=now,
        who=by,
        command=command,
        target=f"P{leg.id}",
        before={"replaced": [f"P{each.id}" for each in decided.replaced]},
        after={
            "machine": machine.name,
            "lp": lp.pubkey,
            "fiat_amount": fiat_text(leg.fiat_minor, leg.currency),
            "rate": decimal_text(wanted.rate),
            "sats": leg.amount_sats,
            "wallet": leg.wallet,
            "note": note,
        },
    )
    return decided, leg
