"""The kinds of parameters that commands have, in the forms in which text and JSON bring them.

Each either gives a checked value or refuses with `bad_request`, the field and the way out. What has to be looked up
(a machine, an LP) stays a name here; handlers/commands/lookup.py finds it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationInfo

from handlers.replies.plain import clean
from ledger.errors import Code, Refusal, Said, said
from ledger.money import parse_decimal, parse_fraction

_WORDS: Final = {
    "true": True, "on": True, "yes": True, "1": True, "false": False, "off": False, "no": False, "0": False,
}  # fmt: skip
_DIGITS: Final = re.compile(r"[0-9]{1,16}")
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MAX_TIME: Final = 253_402_300_799
NOTE_CHARS: Final = 2_000
NAME_CHARS: Final = 64


class Params(BaseModel):
    """Base of every command's parameters: what isn't declared is refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def bad(info: ValidationInfo, wanted: Said) -> Refusal:
    return Refusal(Code.BAD_REQUEST, "{field} must be {wanted}", field=info.field_name, wanted=wanted)


def _text_of_number(value: Any, info: ValidationInfo, wanted: Said) -> str:
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    raise bad(info, wanted)


def _fraction(value: Any, info: ValidationInfo) -> int:
    text = _text_of_number(value, info, said("a fraction such as 0.03 or 3%"))
    return parse_fraction(text.replace(" %", "%"), info.field_name or "fraction")


def _amount(value: Any, info: ValidationInfo) -> str:
    return _text_of_number(value, info, said("an amount such as 2000.00"))


def _rate(value: Any, info: ValidationInfo) -> Decimal:
    text = _text_of_number(value, info, said("sats for one unit of fiat, such as 50"))
    return parse_decimal(text, info.field_name or "rate")


def _flag(value: Any, info: ValidationInfo) -> bool:
    if isinstance(value, bool):
        return value
    found = _WORDS.get(value.strip().lower()) if isinstance(value, str) else None
    if found is None:
        raise bad(info, said("true or false (on/off, yes/no)"))
    return found


def _whole(value: Any, info: ValidationInfo) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**16:
        return value
    if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
        return int(value)
    raise bad(info, said("a whole number"))


def _limit(value: Any, info: ValidationInfo) -> int:
    number = _whole(value, info)
    if not 1 <= number <= 200:
        raise bad(info, said("from 1 to 200"))
    return number


def between(least: int, most: int) -> BeforeValidator:
    """A whole number within bounds."""

    def check(value: Any, info: ValidationInfo) -> int:
        number = _whole(value, info)
        if not least <= number <= most:
            raise Refusal(
                Code.BAD_REQUEST,
                "{field} must be from {least} to {most}",
                field=info.field_name,
                least=least,
                most=most,
            )
        return number

    return BeforeValidator(check)


def _when(value: Any, info: ValidationInfo) -> int:
    wanted = said("a date such as 2026-01-31, or unix seconds")
    if isinstance(value, str) and _DATE.fullmatch(value.strip()):
        try:
            return int(datetime.strptime(value.strip(), "%Y-%m-%d").replace(tzinfo=UTC).timestamp())
        except ValueError:
            raise bad(info, wanted) from None
    try:
        number = _whole(value, info)
    except Refusal:
        raise bad(info, wanted) from None
    if number > _MAX_TIME:
        raise bad(info, wanted)
    return number


def number_of(letter: str, value: Any, field: str | None) -> int:
    """The number of an id such as `S12`; the letter may be small or left out."""
    text = value.strip().upper().removeprefix(letter) if isinstance(value, str) else value
    if isinstance(text, int) and not isinstance(text, bool) and 0 < text < 10**16:
        return text
    if isinstance(text, str) and _DIGITS.fullmatch(text):
        return int(text)
    raise Refusal(Code.BAD_REQUEST, "{field} must be an id such as {letter}12", field=field or "id", letter=letter)


def _id(letter: str) -> BeforeValidator:
    def check(value: Any, info: ValidationInfo) -> int:
        return number_of(letter, value, info.field_name)

    return BeforeValidator(check)


def _line(most: int, wanted: Said) -> BeforeValidator:
    def check(value: Any, info: ValidationInfo) -> str:
        text = clean(value) if isinstance(value, str) else ""
        if not 1 <= len(text) <= most:
            raise bad(info, said("{what} (1 to {most:,} characters)", what=wanted, most=most))
        return text

    return BeforeValidator(check)


def _long(value: Any, info: ValidationInfo) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > 8_000:
        raise bad(info, said("text"))
    return value.strip()


def _before(value: Any, info: ValidationInfo) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and 1 <= len(value.strip()) <= 80:
        return value.strip()
    raise bad(info, said("an id from a former answer's next"))


def _currency(value: Any, info: ValidationInfo) -> str:
    if isinstance(value, str) and re.fullmatch(r"[A-Za-z]{3}", value.strip(), re.ASCII):
        return value.strip().upper()
    raise bad(info, said("an ISO 4217 currency such as GTQ or EUR"))


Fraction = Annotated[int, BeforeValidator(_fraction)]
"""Parts per million."""
FiatAmount = Annotated[str, BeforeValidator(_amount)]
"""Decimal text; its currency is not known yet."""
Rate = Annotated[Decimal, BeforeValidator(_rate)]
"""Sats for one unit of fiat; 0 is still to be refused."""
Currency = Annotated[str, BeforeValidator(_currency)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Whole = Annotated[int, BeforeValidator(_whole)]
Limit = Annotated[int, BeforeValidator(_limit)]
When = Annotated[int, BeforeValidator(_when)]
"""Unix seconds."""
Before = Annotated[str, BeforeValidator(_before)]
SettlementId = Annotated[int, _id("S")]
PaymentId = Annotated[int, _id("P")]
DepositId = Annotated[int, _id("D")]
ApplicantId = Annotated[int, _id("A")]
Name = Annotated[str, _line(NAME_CHARS, said("a name"))]
Key = Annotated[str, _line(600, said("a name or a public key"))]
Note = Annotated[str, _line(NOTE_CHARS, said("text"))]
TargetText = Annotated[str, BeforeValidator(_long)]
"""Where sats go, as somebody wrote it; may be a secret."""
