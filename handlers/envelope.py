"""The text of a direct message, opened: text for people or JSON for programs, not yet a command."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

from handlers.commands.grammar import Token, tokens
from handlers.money_orders import canonical
from ledger.errors import Code, Refusal

_MAX_ID_CHARS: Final = 200
_MAX_NUMBER_CHARS: Final = 80
_MAX_DEPTH: Final = 20


@dataclass(frozen=True, slots=True)
class Envelope:
    """What was sent. `refusal` is set where it can't be read as an order at all."""

    json: bool
    order_id: str | int | None = None
    """The sender's own id for it."""
    method: str = ""
    params: dict[str, Any] = field(default_factory=dict, repr=False)
    confirm: bool = False
    words: Sequence[Token] = field(default=(), repr=False)
    digest: str = ""
    """SHA-256 of what is ordered, without id and confirmation."""
    refusal: Refusal | None = None

    @property
    def key(self) -> str | None:
        """The sender's id as it is stored: a number and a text are two ids."""
        return None if self.order_id is None else json.dumps(self.order_id)


def open_envelope(text: str) -> Envelope:
    """Reads a message; never raises for what somebody sent."""
    stripped = text.strip()
    if stripped.startswith("{"):
        return _open_json(stripped)
    try:
        _check_characters(stripped)
        return Envelope(json=False, words=tokens(stripped), digest=_digest(stripped))
    except Refusal as refusal:
        return Envelope(json=False, digest="", refusal=refusal)


def _open_json(text: str) -> Envelope:
    try:
        raw = _parse(text)
    except Refusal as refusal:
        return Envelope(json=True, refusal=refusal)
    order_id = raw.get("id")
    if not _usable_id(order_id):
        bad_id = Refusal(
            Code.BAD_REQUEST, "id must be text or a number of at most {most}", field="id", most=_MAX_ID_CHARS
        )
        return Envelope(json=True, refusal=bad_id)
    method, params, confirm = raw.get("method"), raw.get("params"), raw.get("confirm", False)
    wrong = None
    if not isinstance(method, str):
        wrong = Refusal(Code.BAD_REQUEST, 'method must be text such as "deposit.add"', field="method")
    elif params is not None and not isinstance(params, dict):
        wrong = Refusal(Code.BAD_REQUEST, "params must be an object", field="params")
    elif not isinstance(confirm, bool):
        wrong = Refusal(Code.BAD_REQUEST, "confirm must be true or false", field="confirm")
    if wrong is not None:
        return Envelope(json=True, order_id=order_id, refusal=wrong)
    digest = _digest(canonical([method, params or {}]))
    return Envelope(True, order_id, str(method), params or {}, bool(confirm), digest=digest)


def _parse(text: str) -> dict[str, Any]:
    """Strict JSON: no duplicate keys, no NaN, no endless numbers, nothing that can't be stored."""
    try:
        raw = json.loads(
            text, object_pairs_hook=_object, parse_float=_decimal, parse_int=_integer, parse_constant=_constant
        )
        _check_depth(raw, _MAX_DEPTH)
        json.dumps(raw, ensure_ascii=False, default=str).encode()
    except RecursionError:
        raise Refusal(Code.BAD_REQUEST, "the JSON is nested too deeply") from None
    except UnicodeEncodeError:
        raise Refusal(Code.BAD_REQUEST, "the JSON has half a character in it (a lone surrogate)") from None
    except (ValueError, ArithmeticError):
        raise Refusal(Code.BAD_REQUEST, "this is not valid JSON: send text, or a JSON object") from None
    if not isinstance(raw, dict):  # pragma: no cover - text that begins with { is an object or nothing
        raise Refusal(Code.BAD_REQUEST, "an order in JSON is an object")
    return raw


def _check_depth(value: Any, left: int) -> None:
    if left == 0:
        raise Refusal(Code.BAD_REQUEST, "the JSON is nested too deeply")
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for each in inside:
        _check_depth(each, left - 1)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Refusal(Code.BAD_REQUEST, "a key is there twice in the JSON")
    return found


def _decimal(text: str) -> Decimal:
    if len(text) > _MAX_NUMBER_CHARS:
        raise Refusal(Code.BAD_REQUEST, "a number in the JSON is too long")
    return Decimal(text)


def _integer(text: str) -> int:
    if len(text) > _MAX_NUMBER_CHARS:
        raise Refusal(Code.BAD_REQUEST, "a number in the JSON is too long")
    return int(text)


def _constant(text: str) -> Any:
    raise Refusal(Code.BAD_REQUEST, "{text} is no number: amounts are text such as 2000.00", text=text)


def _usable_id(order_id: object) -> bool:
    if isinstance(order_id, str):
        return len(order_id) <= _MAX_ID_CHARS
    return order_id is None or (isinstance(order_id, int) and not isinstance(order_id, bool))


def _check_characters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refusal(Code.BAD_REQUEST, "the text has half a character in it: write it again") from None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
