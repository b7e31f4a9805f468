"""`help`, `whoami`, `status`, `confirm`: what everybody starts with."""

from __future__ import annotations

from typing import Any

from handlers import money_orders
from handlers.commands import registry
from handlers.commands.fields import Name, Params
from handlers.commands.grammar import tokens
from handlers.commands.registry import command
from handlers.context import Context
from handlers.roles import OPERATOR, PLATFORM
from ledger.money import MSAT
from ledger.views import Bucket
from nwc.keys import npub_of
from storage import reports, switches, wallets


class Help(Params):
    command: Name | None = None


class Nothing(Params):
    pass


class Confirm(Params):
    code: Name


@command("help", short=("?", "hello", "hi"), rest="command", example="help deposit add")
def help_(ctx: Context, params: Help) -> dict[str, Any]:
    """The orders that you may give; with one, its parameters and an example."""
    if params.command is None:
        allowed = [each for each in registry.every_command() if each.allowed(ctx.roles)]
        return {"commands": [{"name": each.name, "summary": each.summary, "example": each.example} for each in allowed]}
    words = tokens(params.command.replace(".", " "))
    allowed = [each for each in registry.every_command() if each.allowed(ctx.roles)]
    group = [each for each in allowed if len(words) == 1 and each.name.split(" ")[0] == words[0].text.lower()]
    if len(group) > 1:
        return {"commands": [{"name": each.name, "summary": each.summary, "example": each.example} for each in group]}
    found, _ = registry.by_words(words, ctx.roles)
    return {
        "command": found.name,
        "method": found.method,
        "summary": found.summary,
        "parameters": registry.usage(found),
        "example": found.example,
        "short": [short for short in found.short if " " not in short],
        "roles": sorted(role.value for role in found.roles),
        "money_order": found.preview is not None,
    }


@command("whoami", example="whoami")
def whoami(ctx: Context, params: Nothing) -> dict[str, Any]:
    """Your roles and your public key, as this bot sees you."""
    return {
        "roles": sorted(role.value for role in ctx.roles),
        "npub": npub_of(ctx.sender),
        "pubkey": ctx.sender,
        "language": "en",
    }


@command("status", roles=OPERATOR | PLATFORM, example="status")
def status(ctx: Context, params: Nothing) -> dict[str, Any]:
    """How it runs: relays, wallets and balances, what is paused, what needs a person."""
    items, _ = reports.worklist_facts(
        ctx.tx, ctx.now, ctx.settings.stuck_after_minutes, ctx.settings.unmatched_after_seconds
    )
    counts = {bucket.value: sum(item.bucket is bucket for item in items) for bucket in Bucket}
    return {
        "version": ctx.settings.version,
        "uptime_seconds": max(0, ctx.now - ctx.live.started_at),
        "paused": switches.paused(ctx.tx),
        "relays": [{"url": relay.url, "up": relay.up} for relay in ctx.live.relays],
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
        "worklist": counts,
        "last_settlement_at": reports.last_settlement_at(ctx.tx),
        "strangers": [{"pubkey": pubkey, "npub": npub_of(pubkey), "at": at} for pubkey, at in ctx.live.strangers],
    }


@command("confirm", changes=True, places=("code",), example="confirm K7QX3M")
def confirm(ctx: Context, params: Confirm) -> dict[str, Any]:
    """Does the money order that waits for this code."""
    return money_orders.confirm(ctx, params.code)
