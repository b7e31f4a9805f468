"""Orders as people and programs might send them, by the thousand, to a desk with a business behind it.

Whatever is sent, an order is done, refused with a declared code, or not understood: never a bug.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from handlers.commands import registry
from handlers.context import Answer, Ask, Message
from handlers.orders import MAX_ANSWER_BYTES, handle
from ledger.errors import Code, Refusal
from nwc.keys import npub_of
from storage.db import Tx
from tests.fuzz.runs import Outcome
from tests.handlers.desk import ANA, ATM, ATM2, BEN, BOSS, EVE, SUPER, Desk

OF_ORDERS: Final = {code.value for code in Code if code.name not in (
    "INTERNAL", "UNKNOWN_MACHINE", "BAD_SIGNATURE", "BAD_PAYLOAD", "BAD_ARITHMETIC", "CURRENCY_MISMATCH",
    "AMOUNT_CONFLICT", "NOT_PAID", "FEE_MISMATCH",
)}  # fmt: skip
VALUES: Final[list[Any]] = [
    "sintra", "ana", "ben", "main", "second", "third", "GTQ", "EUR", "XXX", "D1", "S1", "P1", "P3", "d2", "S0", "S-1",
    npub_of(ATM), npub_of(BEN), ANA, ANA.upper(), "npub1", "nsec1" + "q" * 58, "ana@example.com", "a@b@c", "@", "none",
    "60% ana@example.com + 40% ops@example.com", '100% ana@example.com "A"', "100% + 0%", "+", "%", "3%", "0.03",
    "1e3", "0", "00", "-1", "2000.00", "0.001", "NaN", "inf", "9" * 40, "true", "off", "", " ", "\x00", "\u202e", "é",
    "🙂" * 30, "x" * 3_000, "'", '"', "“open", "a=b", "a b", "2026-01-31", "2026-99-99", "1790000000", "pending", "dca",
    "help",
]  # fmt: skip
ODD: Final[list[Any]] = [
    None, True, False, 0, -1, 1, 2**63, 10**30, 1.5, [], {}, [[]], {"a": 1}, ["x"] * 3, "\ud800",
    [{"fraction": "1", "target": "a@example.com"}], [{"fraction": 1, "target": None}], [None], {"": {"": {}}},
]  # fmt: skip
FITTING: Final[dict[str, list[Any]]] = {
    "machine": ["sintra", ATM], "lp": ["ana", BEN], "npub": [npub_of(EVE), ANA, npub_of(ATM2)], "name": ["x", "sintra"],
    "wallet": ["main", "second"], "fiat": ["GTQ", "EUR"], "amount": ["1", "0.5", 7], "deposit": ["D1", "D3", 4],
    "legs": ["100% a@example.com", [{"fraction": "1", "target": "b@example.com"}]], "settlement": ["S1", 1],
    "payment": ["P1", "P2"], "target": ["a@example.com", "b@example.com"], "cash_in_fee": ["0", "14%", "0.02"],
    "cash_out_fee": ["0.15", "1%"], "active": [True, "off"], "command": ["deposit add", "machine"], "limit": [1, "200"],
    "since": ["2026-01-01"], "until": [2_000_000_000], "threshold_minutes": [0, "30"], "code": ["ABCDEF"],
    "status": ["pending", "errored", "paused"], "type": ["dca"], "applicant": ["A1", 2], "language": ["es", "en"],
    "mode": ["fixed", "flow"], "daily_limit": ["500", "none"], "notify": [True, "off"], "note": ["counted twice"],
    "position": [1, "2"], "denomination": [20], "count": [0, "180"], "reason": ["a stolen phone"],
}  # fmt: skip
PIECES: Final = [
    '{"method":"whoami"}', '{"id":1,"id":2}', '{"method":"join","params":{"target":1e400}}', "{", "{}", "{]",
    '{"method":NaN}', '{"params":{"limit":' + "9" * 100 + "}}", '{"a":' * 300 + "1" + "}" * 300, "[" * 200_000,
    '{"x":' + "[" * 100_000, '{"method":"help","params":{"command":"\\ud800"}}', '{"id":"' + "i" * 300 + '"}',
    '{"method":"deposit.add","params":{"amount":1e99999999999999999999}}', '{"confirm":1,"method":"join"}',
]  # fmt: skip


def some_text(rng: random.Random) -> str:
    names = [each.name for each in registry.every_command()]
    shorts = [short for each in registry.every_command() for short in each.short]
    words = [rng.choice([rng.choice(names), rng.choice(shorts), str(rng.choice(VALUES))])]
    keys = [name for each in registry.every_command() for name in each.params.model_fields]
    for _ in range(rng.randrange(6)):
        value = str(rng.choice(VALUES))
        quoted = rng.choice([value, value, f'"{value}"', f"'{value}'", f"“{value}”"])
        words.append(rng.choice(["", "", f"{rng.choice(keys)}="]) + quoted)
    text = rng.choice([" ", " ", "\n", "  "]).join(words)
    if rng.random() < 0.2 and text:
        place = rng.randrange(len(text))
        text = text[:place] + rng.choice(["", "\x00", "\u2066", '"', "=", "+", " ", "\ud800", "{"]) + text[place + 1 :]
    return text


def some_json(rng: random.Random) -> str:
    if rng.random() < 0.02:
        return rng.choice(PIECES)
    each = rng.choice(registry.every_command())
    whole = rng.random() < 0.5
    params = {}
    for name, spec in each.params.model_fields.items():
        if rng.random() < 0.5 if not whole else (spec.is_required() or rng.random() < 0.4):
            params[name] = rng.choice(rng.choice([FITTING.get(name, VALUES), VALUES, ODD][: 1 if whole else 3]))
    if rng.random() < 0.1:
        params[rng.choice(["x", "", "machine", "é"])] = rng.choice(ODD)
    order: dict[str, Any] = {"method": each.method, "params": params}
    if rng.random() < 0.3:
        order["id"] = rng.choice([*range(500), "a", None, True, [], "i" * 250, 10**40])
    if rng.random() < 0.5:
        order["confirm"] = rng.choice([True, True, False, 1, "yes"])
    if rng.random() < 0.05:
        order[rng.choice(["method", "params", "confirm", "extra"])] = rng.choice(ODD)
    text = json.dumps(order)
    if rng.random() < 0.1:
        place = rng.randrange(1, len(text))
        text = text[:place] + rng.choice(["", "}", '"', ",", "\\", "9", "\ud800"]) + text[place + 1 :]
    return text


def given(tx: Tx, desk: Desk, message: Message, now: int) -> Exception | None:
    """An order is handled; what it asks for first is read here, and no wallet answers."""
    try:
        return handle(tx, message, desk.settings, desk.live, now)
    except Ask as ask:
        found: Any = Refusal(Code.WALLET_ERROR, "the wallet does not answer: try again")
        if ask.question.read is not None:
            try:
                found = ask.question.read(tx)
            except Refusal as refusal:
                found = refusal
    return handle(tx, message, desk.settings, desk.live, now, Answer(found))


@dataclass(slots=True)
class Storm:
    """Many orders from several people. The seed and the number of an order make it again."""

    desk: Desk
    make: Callable[[random.Random], str]
    seed: int
    answered: int = 0
    codes: set[str] = field(default_factory=set)
    """Codes of the errors that JSON was answered with, and `result`."""

    def run(self, tx: Tx, first: int, runs: int) -> Outcome:
        """All within one transaction; ends with the first order that was answered wrongly."""
        outcome = Outcome(f"orders_{self.make.__name__.replace('some', 'in')}")
        for number in range(first, first + runs):
            chance = random.Random(f"{self.make.__name__} {self.seed} {number}")
            sender, text = chance.choice([BOSS, BOSS, BOSS, SUPER, ANA, EVE]), self.make(chance)
            now = self.desk.now + number - first
            said_at = now - chance.choice([0, 0, 0, 901])
            message = Message(f"{number:064x}", sender, text, said_at, chance.random() < 0.2)
            with outcome.trying(self.seed, number, text.encode("utf-8", "surrogatepass"), first):
                self._send(tx, message, now)
            if outcome.finds:
                break
        return outcome

    def _send(self, tx: Tx, message: Message, now: int) -> None:
        bug = given(tx, self.desk, message, now)
        if bug is not None:
            raise bug
        row = tx.one("SELECT body FROM outbox WHERE kind IN ('dm', 'signed_dm') ORDER BY id DESC LIMIT 1")
        body = json.loads(row["body"]) if row else {}
        if body.get("answers") == message.id:
            self.answered += 1
            self._check(message.text, body["text"])
        tx.run("DELETE FROM outbox")

    def _check(self, text: str, answer: str) -> None:
        assert len(answer.encode()) <= MAX_ANSWER_BYTES
        if not text.strip().startswith("{"):
            assert answer.strip()
            assert not set("\x00\u202e\u2066\ud800") & set(answer), text
            return
        parsed = json.loads(answer)
        assert parsed.keys() in ({"id", "result"}, {"id", "error"}), text
        if "error" not in parsed:
            self.codes.add("result")
            return
        error = parsed["error"]
        assert error["code"] in OF_ORDERS, (text, answer)
        assert error["message"]
        assert isinstance(error.get("field", ""), str)
        self.codes.add(error["code"])


async def business(desk: Desk) -> None:
    await desk.with_machine()
    await desk.with_lp()
    await desk.with_lp(BEN, "ben", deposited="500")
    await desk.cash_out()
    await desk.distribute()
    await desk.fail_leg(2)
