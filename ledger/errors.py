"""The one kind of error that the rules raise: a refusal, which is the sender's to mend.

Every refusal has a stable code (docs/protocol.md lists them), a plain sentence that says what is wrong and the way
out, and, where one is at fault, the name of the field. Anything else that escapes from this package is a bug.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Code(StrEnum):
    """Error codes that other programs rely on: answers to orders first, then those only receipts carry."""

    BAD_REQUEST = "bad_request"
    CONFIRM_REQUIRED = "confirm_required"
    UNKNOWN_COMMAND = "unknown_command"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    STALE = "stale"
    NOT_ONBOARDED = "not_onboarded"
    CAP_EXCEEDED = "cap_exceeded"
    BAD_STATE = "bad_state"
    TOO_YOUNG = "too_young"
    UNRESOLVED_PAYMENT = "unresolved_payment"
    WALLET_ERROR = "wallet_error"
    TARGET_ERROR = "target_error"
    RATE_LIMITED = "rate_limited"
    PAUSED = "paused"
    INTERNAL = "internal"
    UNKNOWN_MACHINE = "unknown_machine"
    BAD_SIGNATURE = "bad_signature"
    BAD_PAYLOAD = "bad_payload"
    BAD_ARITHMETIC = "bad_arithmetic"
    CURRENCY_MISMATCH = "currency_mismatch"
    AMOUNT_CONFLICT = "amount_conflict"
    NOT_PAID = "not_paid"
    FEE_MISMATCH = "fee_mismatch"


@dataclass(frozen=True, slots=True)
class Said:
    """A sentence that can be said in other languages: an English template and what stands in its braces.

    `handlers.replies` translates the template; a value that is itself a `Said`, or a member of a `StrEnum` such as a
    status, is translated with it. Make one with `said`, with a literal template: the catalogues are held against the
    literals in the code.
    """

    template: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        """In English."""
        return self.template.format(**self.values)


def said(template: str, /, **values: object) -> Said:
    return Said(template, values)


class Worded(Exception):
    """An error that says what is wrong in a sentence fit to be shown. `said` can be said in other languages; what is
    given may be one already."""

    def __init__(self, template: str | Said, /, **values: object) -> None:
        self.said = template if isinstance(template, Said) else Said(template, values)
        super().__init__(str(self.said))


class BadText(Worded, ValueError):
    """Text from outside that is not what it should be."""


class Refusal(Exception):
    """Something that was asked for will not be done, and why.

    `template` and `values` make the sentence as in `Said`; the template may name `{field}` too. `extra` carries facts
    that a program may want beside the sentence (the machines that break a cap, a preview).
    """

    def __init__(
        self,
        code: Code,
        template: str,
        /,
        *,
        field: str | None = None,
        extra: Mapping[str, object] | None = None,
        **values: object,
    ) -> None:
        self.said = Said(template, {**values, "field": field})
        super().__init__(str(self.said))
        self.code = code
        self.field = field
        self.extra = dict(extra or {})
        self.order: str | None = None
        """The command that refused, where another one had it run: `confirm` does a money order."""

    @property
    def message(self) -> str:
        """In English."""
        return str(self.said)

    def __repr__(self) -> str:
        return f"Refusal({self.code.value}, {self.message!r}, field={self.field!r})"
