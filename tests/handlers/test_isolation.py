"""Who may do what, over every order that there is: what a role does not have is refused, and refused without a trace;
what an LP or a stranger asks about others is answered the same whether they exist or not."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any, Final

from handlers.commands import registry
from handlers.context import Answer, Ask, Message
from handlers.orders import handle
from handlers.roles import Role
from ledger.errors import Refusal
from nwc.keys import npub_of
from storage.db import Tx
from tests.fuzz.orders import FITTING
from tests.handlers.desk import ANA, ATM, ATM2, BEN, BOSS, EVE, SUPER, Desk, key
from tests.handlers.till import Till

FOR_ANYBODY: Final = {"help", "whoami", "confirm", "join"}
FOR_LPS: Final = {
    "balance", "history", "chart", "export", "prefs show", "prefs set", "target freeze", "target unfreeze",
}  # fmt: skip
FOR_THE_PLATFORM: Final = {"platform show", "platform set", "status", "audit", "prefs show", "prefs set"}
ROLES: Final = [frozenset(each) for size in range(4) for each in itertools.combinations(Role, size)]
OF_THE_DESK: Final = {"orders", "outbox", "counters", "strangers", "audit", "confirmations", "sqlite_sequence"}
"""Tables in which every order leaves something, a refused one too."""
GIVEN: Final[dict[str, Any]] = {"what": "payments", "lp": None, "applicant": "A1"}
"""What a parameter is given where the first fitting value is not the one; None: left out where that is possible."""


def some_params(each: registry.Command) -> dict[str, Any]:
    """Values with which the order could be done."""
    found = {}
    for name, spec in each.params.model_fields.items():
        value = GIVEN[name] if name in GIVEN else FITTING.get(name, ["1"])[0]
        if spec.is_required():
            found[name] = "ana" if value is None else value
    return found


class Counter:
    """Gives orders within one transaction."""

    def __init__(self, desk: Desk, tx: Tx) -> None:
        self.desk = desk
        self.tx = tx
        self._numbers = itertools.count()

    def give(self, sender: str, method: str, params: dict[str, Any], *, confirm: bool = False) -> dict[str, Any]:
        """The answer; what needs a wallet to be asked counts as an answer of its own. Nothing of it stays."""
        order: dict[str, Any] = {"method": method, "params": params, **({"confirm": True} if confirm else {})}
        self.tx.run("SAVEPOINT order_given")
        try:
            return self._answer(sender, json.dumps(order))
        finally:
            self.tx.run("ROLLBACK TO order_given")
            self.tx.run("RELEASE order_given")

    def keep(self, sender: str, method: str, params: dict[str, Any], *, confirm: bool = False) -> dict[str, Any]:
        """The same, and what it did stays."""
        order = {"method": method, "params": params, **({"confirm": True} if confirm else {})}
        return self._answer(sender, json.dumps(order))

    def _answer(self, sender: str, text: str, answer: Answer | None = None) -> dict[str, Any]:
        desk = self.desk
        number = hashlib.sha256(f"isolation {next(self._numbers)}".encode()).hexdigest()
        message = Message(number, sender, text, desk.now, signed=False)
        self.tx.run("DELETE FROM strangers")
        self.tx.run("DELETE FROM counters")
        try:
            bug = handle(self.tx, message, desk.settings, desk.live, desk.now, answer)
        except Ask as ask:
            if ask.question.read is None:
                return {"result": {"asked": ask.question.kind}}
            try:
                return self._answer(sender, text, Answer(ask.question.read(self.tx)))
            except Refusal as refusal:
                return self._answer(sender, text, Answer(refusal))
        assert bug is None, (text, bug)
        rows = self.tx.all("SELECT body FROM outbox WHERE json_extract(body, '$.answers') = ?", (message.id,))
        found: dict[str, Any] = json.loads(json.loads(rows[0]["body"])["text"])
        return found


def state(tx: Tx) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that orders are about."""
    tables = [row["name"] for row in tx.all("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {
        table: sorted(map(tuple, tx.all(f"SELECT * FROM {table}")), key=repr)
        for table in tables
        if table not in OF_THE_DESK
    }


def person(roles: frozenset[Role]) -> str:
    return key(f"person with {sorted(roles)}")


async def business(owed: Till) -> Desk:
    """Everything that orders can name is there: a deposit, payments of all kinds, an applicant, a second machine."""
    desk = owed.desk
    await owed.with_second_machine()
    await desk.ask(BOSS, "deposit.add", machine="sintra", lp="ben", amount="7")
    await desk.ask(EVE, "join", target="eve@example.com")
    await desk.fail_leg(4)
    desk.with_settings(
        operators=desk.settings.operators | {person(each) for each in ROLES if Role.OPERATOR in each},
        platforms=desk.settings.platforms | {person(each) for each in ROLES if Role.PLATFORM in each},
    )
    for number, each in enumerate(each for each in ROLES if Role.LP in each):
        await desk.ask(BOSS, "lp.add", machine="sintra", npub=person(each), name=f"person-{number}")
    return desk


def test_what_is_not_listed_here_is_for_operators_alone() -> None:
    declared = {each.name: each.roles for each in registry.every_command()}
    assert {name for name, roles in declared.items() if not roles} == FOR_ANYBODY
    assert {name for name, roles in declared.items() if Role.LP in roles} == FOR_LPS
    assert {name for name, roles in declared.items() if Role.PLATFORM in roles} == FOR_THE_PLATFORM
    assert {name for name, roles in declared.items() if roles and Role.OPERATOR not in roles} == {
        "balance", "history", "platform set",
    }  # fmt: skip


async def test_every_order_is_for_those_who_have_one_of_its_roles_and_for_nobody_else(owed: Till) -> None:
    desk = await business(owed)

    def work(tx: Tx) -> int:
        counter, before, refused = Counter(desk, tx), state(tx), 0
        for roles, each, confirm in itertools.product(ROLES, registry.every_command(), (False, True)):
            if confirm and each.preview is None:
                continue
            allowed = not each.roles or bool(each.roles & roles)
            give = counter.give if allowed else counter.keep
            answer = give(person(roles), each.method, some_params(each), confirm=confirm)
            code = answer.get("error", {}).get("code")
            assert (code != "forbidden") is allowed, (sorted(roles), each.name, answer)
            refused += not allowed
        assert state(tx) == before
        return refused

    assert await desk.tx(work) > 200


OTHERS: Final = {
    # what is there, and is not the sender's: what is not there
    "ben": "zed", BEN: key("zed"), npub_of(BEN): npub_of(key("zed")),
    "ericeira": "nowhere", ATM2: key("nothing"), npub_of(ATM2): npub_of(key("nothing")),
    "D3": "D99", "P4": "P99", "S1": "S99", "A1": "A99",
    npub_of(EVE): npub_of(key("nobody")), npub_of(BOSS): npub_of(key("no boss")), "main": "money",
}  # fmt: skip
NOT_ABOUT_OTHERS: Final = {"limit", "before", "after", "since", "until"}
"""Pages of what is the sender's own: where they begin says nothing about others."""


def questions(roles: frozenset[Role]) -> Iterator[tuple[str, Callable[[str], dict[str, Any]]]]:
    """(method, params for a value) of each parameter of each order that these roles may use."""
    for each in registry.every_command():
        if not each.allowed(roles) or each.name == "help":
            continue
        for name in each.params.model_fields.keys() - NOT_ABOUT_OTHERS:
            yield each.method, lambda value, each=each, name=name: {**some_params(each), name: value}  # type: ignore[misc]


async def test_what_is_asked_about_others_is_answered_as_if_there_were_none(owed: Till) -> None:
    """Every parameter of every order that an LP or a stranger may use, with names, keys and ids of others."""
    desk = await business(owed)

    def work(tx: Tx) -> int:
        counter, asked = Counter(desk, tx), 0
        for sender, roles in ((ANA, frozenset({Role.LP})), (key("stranger"), frozenset[Role]())):
            for method, params in questions(roles):
                for there, absent in OTHERS.items():
                    answers = [
                        json.dumps(counter.give(sender, method, params(value), confirm=True)).replace(value, "it")
                        for value in (there, absent)
                    ]
                    assert answers[0] == answers[1], (method, there, answers)
                    asked += 1
        return asked

    assert await desk.tx(work) > 150


async def test_an_lp_sees_its_own_only(owed: Till) -> None:
    """Nothing that an LP can ask for names the other LP, its payments, or a machine at which it is not enrolled."""
    desk = await business(owed)
    foreign = ("ben", BEN, npub_of(BEN), "P1", "P2", "P4", "D2", "D3", "ericeira", ATM, ATM2, "eve@", BOSS, SUPER)

    def work(tx: Tx) -> list[str]:
        counter, seen = Counter(desk, tx), []
        for each in registry.every_command():
            if not each.allowed([Role.LP]) or each.name == "help":
                continue
            answer = counter.give(ANA, each.method, some_params(each))
            words = set(json.dumps(answer, ensure_ascii=False).replace("\\", '"').split('"'))
            words |= {cell for word in words for cell in word.split(",")}
            assert not words & set(foreign), (each.name, answer)
            if "result" in answer:
                seen.append(each.name)
        return seen

    assert {"balance", "history", "prefs show", "target freeze", "whoami"} <= set(await desk.tx(work))
