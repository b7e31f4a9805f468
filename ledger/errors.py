"""The one kind of error that the rules raise: a refusal, which is the sender's to mend.

Every refusal has a stable code (docs/protocol.md lists them), a plain sentence that says what is wrong and the way
out, and, where one is at fault, the name of the field. Anything else that escapes from this package is a bug.
"""

from __future__ import annotations

from collections.abc import Mapping
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


class Refusal(Exception):
    """Something that was asked for will not be done, and why.

    `extra` carries facts a program may want beside the sentence (the machines that break a cap, a preview).
    """

    def __init__(
        self, code: Code, message: str, *, field: str | None = None, extra: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field
        self.extra = dict(extra or {})

    def __repr__(self) -> str:
        return f"Refusal({self.code.value}, {self.message!r}, field={self.field!r})"
