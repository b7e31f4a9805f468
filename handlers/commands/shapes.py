"""The nouns of the books as JSON shows them (docs/commands.md): fiat and fractions as text, sats as integers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from handlers.commands.lookup import shown_target
from ledger.model import Leg, Machine, Settlement, SplitRule
from ledger.money import decimal_text, fiat_text, fraction_text
from nwc.keys import npub_of
from storage.deposits import Deposit
from storage.lps import Enrolment


def machine(
    found: Machine, last_seen_at: int | None, beacon: Mapping[str, Any] | None, cassettes: Mapping[str, Any]
) -> dict[str, Any]:
    """`beacon`: what it says in public; `cassettes`: its bays by position."""
    return {
        "machine": found.name,
        "pubkey": found.pubkey,
        "npub": npub_of(found.pubkey),
        "wallet": found.wallet,
        "fiat": found.fiat,
        "location": found.location,
        "active": found.active,
        "cash_in_fee": fraction_text(found.operator_fees.cash_in_ppm),
        "cash_out_fee": fraction_text(found.operator_fees.cash_out_ppm),
        "paused": found.paused,
        "last_seen_at": last_seen_at,
        "beacon": beacon,
        "cassettes": cassettes,
    }


def enrolment(found: Enrolment) -> dict[str, Any]:
    def fiat(minor: int) -> str:
        return fiat_text(minor, found.currency)

    return {
        "machine": found.machine,
        "lp": found.lp_pubkey,
        "npub": npub_of(found.lp_pubkey),
        "name": found.lp,
        "status": found.status.value,
        "onboarded": found.onboarded,
        "deposited": fiat(found.deposited_minor),
        "pending": fiat(found.pending_minor),
        "paid": fiat(found.paid_minor),
        "reserved": fiat(found.reserved_minor),
        "remaining": fiat(found.deposited_minor - found.paid_minor - found.reserved_minor),
        "currency": found.currency,
    }


def deposit(found: Deposit) -> dict[str, Any]:
    return {
        "id": f"D{found.id}",
        "machine": found.machine,
        "lp": found.lp_pubkey,
        "name": found.lp,
        "amount": fiat_text(found.amount_minor, found.currency),
        "currency": found.currency,
        "status": found.status.value,
        "note": found.note,
        "created_at": found.created_at,
        "confirmed_at": found.confirmed_at,
    }


def split_rule(rule: SplitRule | None, machine_name: str | None) -> dict[str, Any]:
    """`machine` is where it was asked for, `source` where the rule comes from: `machine`, `default` or null."""
    source = None if rule is None else "default" if rule.machine_id is None else "machine"
    return {
        "machine": machine_name,
        "source": source,
        "legs": [
            {"fraction": fraction_text(s.fraction_ppm), "target": shown_target(s.target), "label": s.label}
            for s in (rule.shares if rule else ())
        ],
    }


def settlement(found: Settlement, machine_name: str) -> dict[str, Any]:
    return {
        "id": f"S{found.id}",
        "machine": machine_name,
        "status": found.status.value,
        "tx_type": found.tx_type.value,
        "payment_hash": found.payment_hash,
        "txid": found.txid,
        "wire_sats": found.wire_sats,
        "principal_sats": found.principal_sats,
        "fee_sats": found.fee_sats,
        "platform_fee_sats": found.platform_fee_sats,
        "operator_fee_sats": found.operator_fee_sats,
        "fee_mismatch_sats": found.fee_mismatch_sats,
        "fiat_amount": fiat_text(found.fiat_minor, found.currency),
        "currency": found.currency,
        "exchange_rate": decimal_text(found.exchange_rate),
        "reason": found.reason,
        "created_at": found.created_at,
        "processed_at": found.processed_at,
    }


def leg(found: Leg, *, lp_pubkey: str | None, preimage: str | None, fees_msat: int) -> dict[str, Any]:
    return {
        "id": f"P{found.id}",
        "settlement": f"S{found.settlement_id}" if found.settlement_id is not None else None,
        "type": found.type.value,
        "status": found.status.value,
        "amount_sats": found.amount_sats,
        "fiat_amount": fiat_text(found.fiat_minor, found.currency),
        "lp": lp_pubkey,
        "label": found.label,
        "to": shown_target(found.target),
        "reason": found.reason,
        "created_at": found.created_at,
        "completed_at": found.completed_at,
        "preimage": preimage,
        "fees_msat": fees_msat,
    }
