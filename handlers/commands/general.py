"""`help`, `whoami`, `status`, `confirm`: what everybody starts with."""

from __future__ import annotations

from typing import Any

from handlers import missing_reports, money_orders
from handlers.commands import holds, registry
from handlers.commands.fields import Name, Params
from handlers.commands.grammar import tokens
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import ANYBODY, OPERATOR, PLATFORM
from ledger.money import MSAT
from ledger.views import Bucket
from nwc.keys import npub_of
from storage import alarms, people, reports, switches, wallets


class Help(Params):
    command: Name | None = None


class Nothing(Params):
    pass


class Confirm(Params):
    code: Name


@command("help", roles=ANYBODY, short=("?", "hello", "hi", "ayuda", "hola"), rest="command", example="help deposit add")
def help_(ctx: Context, params: Help) -> dict[str, Any]:
    """The orders that you may give; with one, its parameters and an example."""
    if params.command is None:
        return {"commands": [_in_brief(each) for each in registry.every_command() if each.allowed(ctx.roles)]}
    words = tokens(params.command.replace(".", " "))
    allowed = [each for each in registry.every_command() if each.allowed(ctx.roles)]
    group = [each for each in allowed if len(words) == 1 and each.name.split(" ")[0] == words[0].text.lower()]
    if len(group) > 1:
        return {"commands": [_in_brief(each) for each in group]}
    found = group[0] if group else registry.by_words(words, ctx.roles)[0]
    return {
        "command": found.name,
        "method": found.method,
        "summary": found.summary,
        "parameters": registry.usage(found),
        "example": found.example,
        "short": _short(found),
        "roles": sorted(role.value for role in found.roles),
        "money_order": found.preview is not None,
    }


def _in_brief(each: registry.Command) -> dict[str, Any]:
    return {"name": each.name, "summary": each.summary, "example": each.example, "short": _short(each)}


def _short(each: registry.Command) -> list[str]:
    return [short for short in each.short if " " not in short]


@command("whoami", roles=ANYBODY, example="whoami")
def whoami(ctx: Context, params: Nothing) -> dict[str, Any]:
    """Your roles and your public key, as this bot sees you."""
    return {
        "roles": sorted(role.value for role in ctx.roles),
        "npub": npub_of(ctx.sender),
        "pubkey": ctx.sender,
        "language": people.language(ctx.tx, ctx.sender),
    }


@command("status", roles=OPERATOR | PLATFORM, short=("estado",), example="status")
def status(ctx: Context, params: Nothing) -> dict[str, Any]:
    """How it runs: relays, wallets and balances, what is paused, what needs a person."""
    counts = reports.worklist_counts(
        ctx.tx, ctx.now, ctx.settings.stuck_after_minutes, ctx.settings.unmatched_after_seconds
    )
    return {
        "version": ctx.settings.version,
        "uptime_seconds": max(0, ctx.now - ctx.live.started_at),
        "paused": switches.paused(ctx.tx),
        "holds": holds.shapes(ctx.tx),
        "paused_machines": switches.paused_machines(ctx.tx),
        "relays": [{"url": relay.url, "up": relay.up, "withholding": relay.withholding} for relay in ctx.live.relays],
        "wallets": [
            {
                "name": wallet.name,
                "up": wallet.name in ctx.live.wallets_up,
                "balance_sats": None if wallet.balance_msat is None else wallet.balance_msat // MSAT,
                "in_flight_sats": wallets.in_flight_sats(ctx.tx, wallet.name),
                "paused_reason": wallet.paused_reason,
            }
            for wallet in wallets.all_of_them(ctx.tx)
            if wallet.name in ctx.settings.wallets
        ],
        "worklist": {bucket.value: counts[bucket] for bucket in Bucket},
        "alarms": alarms.number_open(ctx.tx),
        "missing_reports": missing_reports.of_all(ctx.tx, ctx.now),
        "last_settlement_at": reports.last_settlement_at(ctx.tx),
        "strangers": [{"pubkey": pubkey, "npub": npub_of(pubkey), "at": at} for pubkey, at in ctx.live.strangers],
    }


@command("confirm", roles=ANYBODY, changes=True, short=("confirmar",), places=("code",), example="confirm K7QX3M")
def confirm(ctx: Context, params: Confirm) -> dict[str, Any]:
    """Does the money order that waits for this code."""
    return money_orders.confirm(ctx, params.code)
