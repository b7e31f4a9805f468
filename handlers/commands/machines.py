"""`machine …`: ATMs are registered, changed and shown."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from handlers import missing_reports, published
from handlers.commands import cash_shapes, lookup, shapes
from handlers.commands.fields import Currency, Flag, Fraction, Key, Name, Params
from handlers.commands.paging import Listing, Paged, listing
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import OPERATOR
from handlers.wire.fee_config import fees
from ledger.errors import Code, Refusal
from ledger.fees import FeeRates, check_cap
from ledger.model import Machine
from ledger.money import fiat_digits
from storage import (
    beacons,
    cash,
    lps,
    machines,
    outbox,
    platform,
    reports,
    settlements,
    telemetry,
    wallets,
)
from storage.settlements import mark_view


class MachineAdd(Params):
    npub: Key
    name: Name
    wallet: Name
    fiat: Currency
    location: Name | None = None
    cash_in_fee: Fraction = 0
    cash_out_fee: Fraction = 0


class MachineSet(Params):
    machine: Key
    name: Name | None = None
    wallet: Name | None = None
    fiat: Currency | None = None
    location: Name | None = None
    cash_in_fee: Fraction | None = None
    cash_out_fee: Fraction | None = None
    active: Flag | None = None


class MachineShow(Params):
    machine: Key


def slug(name: str) -> str:
    """`Sintra Mall` as `sintra-mall`: how a machine is called everywhere. Refuses what can't be one."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    found = re.sub(r"[^a-z0-9_]+", "-", plain).strip("-")
    if not found:
        raise Refusal(Code.BAD_REQUEST, "name must have letters or digits, such as sintra", field="name")
    lookup.check_name(found)
    return found


@command(
    "machine add",
    roles=OPERATOR,
    changes=True,
    places=("npub", "name", "wallet", "fiat"),
    example="machine add npub=npub1… name=sintra wallet=main fiat=GTQ cash_in_fee=3% cash_out_fee=5%",
)
def machine_add(ctx: Context, params: MachineAdd) -> dict[str, Any]:
    """Registers an ATM by its Nostr key, with the wallet that it pays from and its fees."""
    pubkey = lookup.public_key(params.npub, "npub")
    if pubkey == ctx.settings.bot_pubkey:
        raise Refusal(Code.BAD_REQUEST, "npub is the bot's own key: give the machine's", field="npub")
    known = machines.by_pubkey(ctx.tx, pubkey)
    if known is not None:
        raise Refusal(
            Code.CONFLICT, "this key is the machine {machine} already: machine set", field="npub", machine=known.name
        )
    name = _free_name(ctx, params.name, None)
    wallet = _free_wallet(ctx, params.wallet, None)
    fiat_digits(params.fiat)
    fees = FeeRates(params.cash_in_fee, params.cash_out_fee)
    check_cap(platform.load(ctx.tx).fees, [(name, fees)], ctx.settings.max_total_fee_ppm)
    stored = machines.insert(
        ctx.tx,
        pubkey=pubkey,
        name=name,
        wallet=wallet,
        fiat=params.fiat,
        location=params.location,
        fees=fees,
        now=ctx.now,
    )
    published.fee_config(ctx.tx, stored, ctx.now)
    result = _shape(ctx, stored)
    ctx.record(stored.name, after=_recorded(result))
    return result


@command("machine set", roles=OPERATOR, changes=True, places=("machine",), example="machine set sintra cash_out_fee=6%")
def machine_set(ctx: Context, params: MachineSet) -> dict[str, Any]:
    """Changes what is given; what has landed before keeps its fees."""
    found = lookup.machine(ctx, params.machine)
    if params.model_fields_set <= {"machine"}:
        raise Refusal(Code.BAD_REQUEST, "nothing to change is named, for example: machine set sintra cash_out_fee=6%")
    before = _shape(ctx, found)
    changed = machines.update(ctx.tx, found.id, _changes(ctx, found, params))
    if changed.active or changed.operator_fees != found.operator_fees:
        check_cap(platform.load(ctx.tx).fees, [(changed.name, changed.operator_fees)], ctx.settings.max_total_fee_ppm)
    if changed.operator_fees != found.operator_fees or changed.active != found.active:
        published.fee_config(ctx.tx, changed, ctx.now)
    mark_view(ctx.tx, "worklist")
    for enrolled in lps.enrolments(ctx.tx, machine_id=found.id):
        mark_view(ctx.tx, f"balance:{enrolled.lp_id}")
    result = _shape(ctx, changed)
    ctx.record(changed.name, before=_recorded(before), after=_recorded(result))
    return result


@command("machine remove", roles=OPERATOR, changes=True, places=("machine",), example="machine remove sintra")
def machine_remove(ctx: Context, params: MachineShow) -> dict[str, Any]:
    """Takes away a machine that was never used; one with records is deactivated instead."""
    found = lookup.machine(ctx, params.machine)
    if machines.has_history(ctx.tx, found.id):
        raise Refusal(
            Code.BAD_STATE,
            "{machine} has settlements, payments or deposits, and records are kept: machine set {machine} active=off",
            field="machine",
            machine=found.name,
        )
    before = _shape(ctx, found)
    enrolled = [each.lp for each in lps.enrolments(ctx.tx, machine_id=found.id)]
    published.forget_machine(ctx.tx, found)
    machines.remove(ctx.tx, found.id)
    ctx.record(found.name, before={**_recorded(before), "lps": enrolled})
    return {**before, "removed": True}


@command("machine list", roles=OPERATOR, short=("machines",), example="machine list")
def machine_list(ctx: Context, params: Paged) -> Listing:
    """Every machine, the newest first."""
    before = lookup.machine(ctx, params.before, "before").id if params.before else None
    rows = machines.page(ctx.tx, before, params.limit + 1)
    return listing(rows, params.limit, lambda row: row.name, lambda row: _shape(ctx, row))


@command("machine show", roles=OPERATOR, short=("show",), places=("machine",), example="machine show sintra")
def machine_show(ctx: Context, params: MachineShow) -> dict[str, Any]:
    """One machine, with what it last said and what it earned."""
    found = lookup.machine(ctx, params.machine)
    totals = reports.totals_of(ctx.tx, found.id)
    told = telemetry.get(ctx.tx, found.id)
    seen = beacons.get(ctx.tx, found.id)
    shape = _shape(ctx, found)
    return {
        **shape,
        "beacon_age_seconds": max(0, ctx.now - seen.received_at) if seen is not None else None,
        "telemetry_age_seconds": max(0, ctx.now - told.received_at) if told is not None else None,
        "fees_told": fees(found, platform.load(ctx.tx)),
        "fees_in_use": _fees_in_use(ctx, found),
        "cash": cash_shapes.cash_of(ctx.tx, found, ctx.now),
        "missing_reports": missing_reports.of_machine(ctx.tx, found.id, ctx.now),
        "totals": {
            "settlements": totals.settlements,
            "principal_sats": totals.principal_sats,
            "operator_fee_sats": totals.operator_fee_sats,
        },
    }


def _fees_in_use(ctx: Context, found: Machine) -> bool | None:
    """Whether the machine charges what it was told, by its newest report since; None where there is none."""
    coordinate = outbox.coordinate_of(published.KIND, published.FEES + found.pubkey, found.pubkey)
    told_at = outbox.published_at(ctx.tx, coordinate)
    return settlements.newest_fee_fits(ctx.tx, found.id, told_at) if told_at is not None else None


def _shape(ctx: Context, found: Machine) -> dict[str, Any]:
    seen = beacons.get(ctx.tx, found.id)
    return shapes.machine(
        found,
        machines.last_seen_at(ctx.tx, found.id),
        seen.fields if seen is not None else None,
        cash_shapes.bays(ctx.tx, found, ctx.now),
    )


def _recorded(shape: dict[str, Any]) -> dict[str, Any]:
    """What orders change of it, for the audit log."""
    return {name: value for name, value in shape.items() if name not in ("last_seen_at", "beacon", "cassettes")}


def _changes(ctx: Context, found: Machine, params: MachineSet) -> dict[str, Any]:
    """The columns that change, checked one by one."""
    changes: dict[str, Any] = {}
    if params.name is not None:
        changes["name"] = _free_name(ctx, params.name, found)
    if params.wallet is not None and params.wallet != found.wallet:
        changes["wallet"] = _free_wallet(ctx, params.wallet, found)
        if machines.has_open_business(ctx.tx, found.id):
            raise Refusal(
                Code.BAD_STATE,
                "{machine} still has something to prove or to pay from {wallet}: change it after that",
                field="wallet",
                machine=found.name,
                wallet=found.wallet,
            )
    if params.fiat is not None and params.fiat != found.fiat:
        fiat_digits(params.fiat)
        if machines.has_fiat_history(ctx.tx, found.id):
            raise Refusal(
                Code.BAD_STATE,
                "{machine} has records in {fiat}: its currency stays; register the machine with a new key",
                field="fiat",
                machine=found.name,
                fiat=found.fiat,
            )
        if cash.known(ctx.tx, found.id):
            raise Refusal(
                Code.BAD_STATE,
                "{machine} has cash on record in {fiat}: machine remove {machine}, then register it again",
                field="fiat",
                machine=found.name,
                fiat=found.fiat,
            )
        changes["fiat"] = params.fiat
    if params.location is not None:
        changes["location"] = params.location
    if params.cash_in_fee is not None:
        changes["cash_in_ppm"] = params.cash_in_fee
    if params.cash_out_fee is not None:
        changes["cash_out_ppm"] = params.cash_out_fee
    if params.active is not None:
        changes["active"] = int(params.active)
    return changes


def _free_name(ctx: Context, name: str, own: Machine | None) -> str:
    wanted = slug(name)
    holder = machines.by_name(ctx.tx, wanted)
    if holder is not None and (own is None or holder.id != own.id):
        raise Refusal(
            Code.CONFLICT, "there is a machine {name} already: choose another name", field="name", name=wanted
        )
    return wanted


def _free_wallet(ctx: Context, name: str, own: Machine | None) -> str:
    if name not in ctx.settings.wallets or wallets.get(ctx.tx, name) is None:
        known = ", ".join(sorted(ctx.settings.wallets)) or "none"
        raise Refusal(
            Code.BAD_REQUEST,
            "wallet must be one of the configured wallets ({wallets}): add it to the configuration first",
            field="wallet",
            wallets=known,
        )
    holder = machines.by_wallet(ctx.tx, name)
    if holder is not None and (own is None or holder.id != own.id):
        raise Refusal(
            Code.CONFLICT,
            "wallet {name} is {machine}'s, and no two machines share one: give this machine its own",
            field="wallet",
            name=name,
            machine=holder.name,
        )
    return name
