"""`wallet list`, `wallet test`, `reconcile`: whether the wallets can be relied on, and whether the books agree with
them. Nothing here ever pays, and no connection's secret is shown."""

from __future__ import annotations

import difflib
import json
from dataclasses import asdict
from typing import Any

from handlers.commands.fields import Name, Params
from handlers.commands.paging import Listing, Paged, listing
from handlers.commands.registry import command
from handlers.context import Context, Question
from handlers.reconciliation import Reconciliation, shapes
from handlers.replies.plain import shown
from handlers.roles import OPERATOR
from handlers.wallet_test import Trial, WalletTest
from handlers.wallet_trial import TRIAL_MSAT, WalletTrial
from handlers.wallet_trouble import GONE
from ledger.errors import Code, Refusal, said
from ledger.money import MSAT
from nwc.requests import NEEDED_METHODS
from storage import holds, machines, switches, wallets
from storage.wallets import Wallet


class Nothing(Params):
    pass


class Test(Params):
    wallet: Name


@command("wallet list", roles=OPERATOR, short=("wallets",), example="wallet list")
def wallet_list(ctx: Context, params: Paged) -> Listing:
    """The wallets: whether they are reached, what they have, what they offer."""
    configured = [each for each in wallets.all_of_them(ctx.tx) if _is_shown(ctx, each)]
    before = params.before
    rest = [each for each in configured if before is None or each.name > before]
    return listing(rest, params.limit, lambda each: each.name, lambda each: _wallet(ctx, each))


@command("wallet test", roles=OPERATOR, places=("wallet",), example="wallet test main")
def wallet_test(ctx: Context, params: Test) -> dict[str, Any]:
    """Asks a wallet for all that can be asked without paying, and says whether it is fit to pay from."""
    wallet = _named(ctx, params.wallet)
    found: WalletTest = ctx.ask(Question("wallet", wallet=wallet.name))
    lookup = {**_trial(found.lookup), "answer": found.lookup_answer}
    result = _wallet(ctx, wallet) | {
        "up": True,
        "methods": list(found.methods),
        "encryption": list(found.encryption),
        "last_answer_at": found.asked_at,
        "missing_methods": sorted(NEEDED_METHODS.difference(found.methods)),
        "tests": {
            "info": _trial(found.info),
            "balance": _trial(found.balance),
            "lookup": lookup,
            "list": {**_trial(found.listing), "listed": found.listed},
        },
    }
    if found.found is not None:
        result |= {"looks": found.found.looks.value, "found_profile": found.found.profile.value}
    result |= {"preimages": found.preimages, "metadata": found.metadata}
    if found.balance_msat is not None:
        result |= {"balance_sats": found.balance_msat // MSAT, "balance_at": found.asked_at}
    return result


def _try_preview(ctx: Context, params: Test) -> dict[str, Any]:
    wallet = _named(ctx, params.wallet)
    if wallet.paused_reason is not None or switches.paused(ctx.tx) or holds.any(ctx.tx):
        raise Refusal(Code.PAUSED, "nothing is paid from wallet {wallet} now: say status", wallet=wallet.name)
    return {"wallet": wallet.name, "sats": TRIAL_MSAT // MSAT}


@command("wallet try", roles=OPERATOR, money=_try_preview, changes=True, places=("wallet",), example="wallet try main")
def wallet_try(ctx: Context, params: Test) -> dict[str, Any]:
    """Has a wallet pay one sat to itself, which shows whether it pays and gives proof; it may cost a routing fee."""
    preview = _try_preview(ctx, params)
    found: WalletTrial = ctx.ask(Question("trial", wallet=preview["wallet"]))
    ctx.record(preview["wallet"], after={"paid": found.paid, "fees_msat": found.fees_msat})
    return {**preview, **asdict(found)}


@command("reconcile", roles=OPERATOR, example="reconcile")
def reconcile(ctx: Context, params: Nothing) -> dict[str, Any]:
    """Holds the books against themselves and against the wallets' own lists. It may take minutes."""
    found: Reconciliation = ctx.ask(Question("reconcile"))
    return {
        "differences": shapes(found.differences),
        "count": len(found.differences) + found.more,
        "checked": dict(found.counts),
        "wallets": [
            {
                "name": each.name,
                "since": each.since,
                "listed": len(each.rows),
                "complete": each.complete,
                "error": each.error,
            }
            for each in found.wallets
        ],
    }


def _is_shown(ctx: Context, wallet: Wallet) -> bool:
    """The configured ones, and those that were taken out while something of them is open."""
    return wallet.name in ctx.settings.wallets or (
        wallet.paused_reason == GONE and wallets.open_work(ctx.tx, wallet.name).any
    )


def _wallet(ctx: Context, wallet: Wallet) -> dict[str, Any]:
    machine = machines.by_wallet(ctx.tx, wallet.name)
    offer = ctx.live.offers.get(wallet.name)
    heard = [at for at in (wallet.last_answer_at, ctx.live.heard.get(wallet.name)) if at is not None]
    return {
        "name": wallet.name,
        "up": wallet.name in ctx.live.wallets_up,
        "machine": machine.name if machine else None,
        "balance_sats": None if wallet.balance_msat is None else wallet.balance_msat // MSAT,
        "balance_at": wallet.balance_at,
        "in_flight_sats": wallets.in_flight_sats(ctx.tx, wallet.name),
        "paused_reason": wallet.paused_reason,
        "profile": wallet.profile.value,
        "profile_found": json.loads(wallet.profile_found) if wallet.profile_found else None,
        "methods": list(offer.methods) if offer else [],
        "encryption": list(offer.encryption) if offer else [],
        "last_answer_at": max(heard, default=None),
    }


def _named(ctx: Context, name: str) -> Wallet:
    """Refuses `not_found` with the configured ones."""
    names = sorted(ctx.settings.wallets)
    for candidate in (name, name.lower()):
        found = wallets.get(ctx.tx, candidate) if candidate in ctx.settings.wallets else None
        if found is not None:
            return found
    near = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    if near:
        hint = said("do you mean {name}?", name=near[0])
    elif names:
        hint = said("there are {names}", names=", ".join(names[:10]))
    else:
        hint = said("none is configured: satmachine init on the host writes how")
    raise Refusal(
        Code.NOT_FOUND, "there is no wallet “{wallet}”: {hint}", field="wallet", wallet=shown(name), hint=hint
    )


def _trial(trial: Trial) -> dict[str, Any]:
    return {"ok": trial.error is None, "error": trial.error, "milliseconds": trial.milliseconds}
