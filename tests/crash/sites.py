"""Where the running bot has an effect that outlives it: every commit, publish, HTTP call and wallet request, by name.

`found()` reads them out of the program's own source, so that one without a name, or a name without one, is noticed
(test_points.py). A name stands for two crash points, right before and right after: `pay.sent:before`.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Final, TypeGuard

from bot.intake import OWN_KINDS, SETTLEMENT_KINDS

ROOT: Final = Path(__file__).resolve().parents[2]
COMMIT: Final = "write"
EFFECTS: Final = frozenset(
    {COMMIT, "publish", "publish_to", "get_json", "deliver"}
    | {"lookup_invoice", "list_transactions", "get_balance", "get_info", "make_invoice"}
)
"""Methods. Whatever else leaves the process goes through one of them."""
NOT_THE_DAEMON: Final = ("bot/atm/", "bot/demo/", "bot/commands/", "bot/cli.py")

Where = tuple[str, str, str]
"""File, function, and which effect is called there."""

SITES: Final[Mapping[Where, tuple[str, ...]]] = {
    ("bot/daemon.py", "Daemon._run", "write"): ("start.books",),
    ("bot/daemon.py", "Daemon._keep_house", "write"): ("house.cleaning",),
    ("bot/heartbeat.py", "Heartbeat._send", "publish"): ("heartbeat",),
    ("bot/intake.py", "Intake._write", "write"): ("intake",),
    ("bot/payees.py", "PayeeWallets._make", "make_invoice"): ("payee_wallet.request",),
    ("bot/reconciler.py", "Reconciler.reconcile", "write"): ("reconcile.heeded",),
    ("bot/reconciler.py", "Reconciler._patiently", "list_transactions"): ("reconcile.list", "reconcile.last_try"),
    ("bot/reconciler.py", "Reconciler._shows", "lookup_invoice"): ("reconcile.lookup",),
    ("bot/reconciler.py", "Reconciler._book", "write"): ("reconcile.book",),
    ("bot/wallet_tests.py", "WalletTests.test", "get_balance"): ("wallet_test.balance",),
    ("bot/wallet_tests.py", "WalletTests.test", "get_info"): ("wallet_test.node",),
    ("bot/wallet_tests.py", "WalletTests.test", "list_transactions"): ("wallet_test.list",),
    ("bot/wallet_tests.py", "WalletTests.get_to_know", "get_info"): ("fitness.node",),
    ("bot/wallet_tests.py", "WalletTests._look_up_nothing", "lookup_invoice"): ("wallet_test.lookup",),
    ("bot/wallet_tests.py", "WalletTests._note", "write"): ("wallet_test.noted",),
    ("bot/wallet_tests.py", "WalletTests._own_invoice", "make_invoice"): ("trial.invoice",),
    ("bot/wallet_tests.py", "WalletTests.pay_itself", "write"): ("trial.noted",),
    ("bot/wallet_tests.py", "WalletTests._publish_trial.publish", "publish"): ("trial.publish",),
    ("bot/wallet_tests.py", "WalletTests._learn_trial", "list_transactions"): ("trial.list",),
    ("bot/wallet_tests.py", "WalletTests._learn_trial", "write"): ("trial.settled",),
    ("bot/wallet_wire.py", "WalletWire.publish", "publish"): ("wire.publish",),
    ("bot/wallets.py", "Wallet.publish_and_wait", "publish"): ("pay.publish",),
    ("bot/wallets.py", "Wallet._book_answer", "write"): ("pay.answer",),
    ("bot/wallets.py", "Wallet._book_notification", "write"): ("pay.notification",),
    ("bot/workers/alerting.py", "Alerting._tell", "deliver"): ("alerts.deliver",),
    ("bot/workers/alerting.py", "Alerting._tell", "write"): ("alerts.done", "alerts.put_off"),
    ("bot/workers/auditor.py", "Auditor.run", "write"): ("audit.watch",),
    ("bot/workers/auditor.py", "Auditor._look", "write"): ("audit.look",),
    ("bot/workers/auditor.py", "Auditor._hold", "write"): ("audit.hold",),
    ("bot/workers/balances.py", "Balances._ask", "get_balance"): ("balance.ask",),
    ("bot/workers/balances.py", "Balances._ask", "write"): ("balance.book",),
    ("bot/workers/distributor.py", "Distributor.run", "write"): ("distribute",),
    ("bot/workers/fitness.py", "Fitness._see", "write"): ("fitness.offer",),
    ("bot/workers/fixed_times.py", "FixedTimes.look", "write"): ("fixed_times",),
    ("bot/workers/own_events.py", "OwnEvents._compare", "write"): ("own_events.compared",),
    ("bot/workers/own_events.py", "OwnEvents._give_back", "publish"): ("own_events.given_again",),
    ("bot/workers/payer.py", "Payer._search", "write"): ("past.searched", "past.unseen"),
    ("bot/workers/payer.py", "Payer._prepare_or_give_up", "write"): ("leg.fault",),
    ("bot/workers/payer.py", "Payer._prepare", "write"): ("leg.open", "leg.bad_invoice", "leg.ready"),
    ("bot/workers/payer.py", "Payer._not_fetched", "write"): ("leg.unpayable", "leg.not_fetched"),
    ("bot/workers/payer.py", "Payer._send", "write"): ("pay.sent",),
    ("bot/workers/prover.py", "Prover._prove", "write"): ("proof.told_unverified", "proof.apply"),
    ("bot/workers/prover.py", "Prover._ask_wallet", "lookup_invoice"): ("proof.lookup",),
    ("bot/workers/prover.py", "Prover._ask_wallet", "list_transactions"): ("proof.list",),
    ("bot/workers/public_face.py", "PublicFace.look", "write"): ("public_face",),
    ("bot/workers/publisher.py", "Publisher._work", "write"): ("outbox.fault",),
    ("bot/workers/publisher.py", "Publisher._publish", "publish_to"): ("outbox.to_reader",),
    ("bot/workers/publisher.py", "Publisher._publish", "publish"): ("outbox.publish",),
    ("bot/workers/publisher.py", "Publisher._publish", "write"): ("outbox.done", "outbox.put_off"),
    ("bot/workers/publisher.py", "Publisher._event", "write"): ("outbox.sign",),
    ("bot/workers/reconciling.py", "Reconciling._compare", "write"): ("reconcile.told",),
    ("bot/workers/reconciling.py", "Reconciling._plan", "write"): ("reconcile.planned",),
    ("bot/workers/recollection.py", "_patiently", "list_transactions"): ("past.list", "past.last_try"),
    ("bot/workers/recollection.py", "Recollection._read", "write"): ("past.noted",),
    ("bot/workers/recollection.py", "Recollection._finish", "write"): ("past.over",),
    ("bot/workers/resolver.py", "Resolver._resolve", "write"): ("resolve.checked",),
    ("bot/workers/resolver.py", "Resolver._publish_again", "write"): ("resend.noted",),
    ("bot/workers/resolver.py", "Resolver._publish_again", "publish"): ("resend.publish",),
    ("bot/workers/resolver.py", "Resolver._pay_again", "write"): ("pay_again.stored",),
    ("bot/workers/resolver.py", "Resolver._pay_again", "publish"): ("pay_again.publish",),
    ("bot/workers/resolver.py", "Resolver._look_up", "lookup_invoice"): ("resolve.lookup",),
    ("bot/workers/resolver.py", "Resolver._read_list_anew", "list_transactions"): (
        "resolve.list",
        "resolve.settled_list",
    ),
    ("bot/workers/resolver.py", "Resolver._try_to_release", "write"): ("release",),
    ("bot/workers/resolver.py", "Resolver._ask_control", "write"): ("release.control",),
    ("bot/workers/resolver.py", "Resolver._learn", "write"): ("resolve.learn",),
    ("bot/workers/scanner.py", "Scanner.scan", "list_transactions"): ("scan.list",),
    ("bot/workers/scanner.py", "Scanner.scan", "write"): ("scan.book",),
    ("bot/workers/views.py", "Views.run", "write"): ("views",),
    ("bot/workers/watchman.py", "Watchman.look", "write"): ("alarms",),
    ("nwc/client.py", "WalletClient.publish", "publish"): ("request.pay",),
    ("nwc/client.py", "WalletClient.request", "publish"): ("request.read",),
    ("nwc/lnurl.py", "fetch_invoice", "get_json"): ("payee.terms", "payee.invoice"),
    ("nwc/lnurl.py", "check_verify", "get_json"): ("payee.verify",),
    ("nwc/targets.py", "Targets._from_wallet", "make_invoice"): ("payee_wallet.invoice",),
}
"""Names in the order in which they stand in the function."""


def _outgoing(kind: str) -> Callable[[FrameType], bool]:
    return lambda frame: bool(frame.f_locals["outgoing"].kind == kind)


def _settlement(frame: FrameType) -> bool:
    return frame.f_locals["event"].kind in SETTLEMENT_KINDS


def _own(frame: FrameType) -> bool:
    """What a machine says of itself."""
    return frame.f_locals["event"].kind in OWN_KINDS


def _answered(frame: FrameType) -> bool:
    """An order whose question was answered is handled once more by a function of that name."""
    caller = frame.f_back
    return caller is not None and caller.f_code.co_name == "again"


MEANINGS: Final[Mapping[str, Mapping[str, Callable[[FrameType], bool]]]] = {
    "intake": {
        "intake.settlement": _settlement,
        "intake.machine": _own,
        "intake.order": lambda frame: not _settlement(frame) and not _own(frame) and not _answered(frame),
        "intake.answered_order": _answered,
    },
    "outbox.publish": {
        "outbox.publish.receipt": _outgoing("event"),
        "outbox.publish.answer": _outgoing("dm"),
        "outbox.publish.view": _outgoing("replaceable"),
    },
    "outbox.done": {
        "outbox.done.receipt": _outgoing("event"),
        "outbox.done.answer": _outgoing("dm"),
        "outbox.done.view": _outgoing("replaceable"),
    },
}
"""One place in the source, several moments: the frame that calls tells which."""
WRITES_NOTHING: Final = frozenset(
    {"leg.open", "house.cleaning", "audit.watch", "fitness.offer", "reconcile.heeded", "reconcile.told"}
)
"""Commits that mostly change nothing and yet mark a moment. Of every other one an empty one does not count."""


def _names() -> Iterator[str]:
    for names in SITES.values():
        for name in names:
            yield from MEANINGS.get(name, (name,))


NAMES: Final = tuple(_names())
POINTS: Final = tuple(f"{name}:{moment}" for name in NAMES for moment in ("before", "after"))


@dataclass(frozen=True, slots=True)
class Found:
    """An effect in the source. `ends_at`: the line and column at which its name ends."""

    where: Where
    ends_at: tuple[int | None, int | None]


@cache
def found() -> tuple[Found, ...]:
    """All of them, in the order of the source."""
    return tuple(site for path in _sources() for site in _found_in(path))


def _sources() -> Iterator[str]:
    for package in ("bot", "nwc"):
        for path in sorted((ROOT / package).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if not name.startswith(NOT_THE_DAEMON):
                yield name


def _found_in(path: str) -> Iterator[Found]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))

    def look(node: ast.AST, function: tuple[str, ...]) -> Iterator[Found]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                yield from look(child, (*function, child.name))
                continue
            if _is_effect(child):
                yield Found((path, ".".join(function), child.attr), (child.end_lineno, child.end_col_offset))
            yield from look(child, function)

    return look(tree, ())


def _is_effect(node: ast.AST) -> TypeGuard[ast.Attribute]:
    if not isinstance(node, ast.Attribute) or not isinstance(node.ctx, ast.Load):
        return False
    # A request by its bare method, past those that are named.
    bare = node.attr == "request" and ast.unparse(node.value).endswith("client")
    return bare or node.attr in EFFECTS


def place(name: str) -> tuple[Found, Callable[[FrameType], bool]]:
    """Where it is, and which of the calls there are meant."""
    site = next((site for site, meanings in MEANINGS.items() if name in meanings), name)
    where, names = next(each for each in SITES.items() if site in each[1])
    there = [each for each in found() if each.where == where]
    return there[names.index(site)], MEANINGS.get(site, {}).get(name, lambda _: True)
