"""The operator's word that an attempt will never settle, where the rules alone can't tell (`missing_for_release`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from ledger.decide.attempt import Request
from ledger.errors import Code, Refusal
from ledger.model import Attempt, Leg
from ledger.money import MSAT
from ledger.states import UNRESOLVED_ATTEMPT

HASH_END: Final = 8
"""So many of the last hex digits of a payment hash say that its attempt was looked at."""


def check_release(leg: Leg, attempt: Attempt | None, requests: Sequence[Request], hash_end: str, now: int) -> Attempt:
    """The attempt that may be released. `attempt` is the live one of the leg, `requests` are its signed requests.

    Refuses `bad_state`, `bad_request` and, while its wallet may still act on a request, `too_young`.
    """
    if attempt is None or attempt.state not in UNRESOLVED_ATTEMPT:
        raise Refusal(
            Code.BAD_STATE,
            "P{id} is {status} and waits for no wallet's word: there is nothing to release",
            field="payment",
            id=leg.id,
            status=leg.status,
        )
    given = hash_end.strip().lower()
    if not re.fullmatch(rf"[0-9a-f]{{{HASH_END}}}", given):
        raise Refusal(
            Code.BAD_REQUEST, "{field} must be the last {digits} digits of the payment hash", field="hash_end",
            digits=HASH_END,
        )  # fmt: skip
    if not attempt.payment_hash.endswith(given):
        raise Refusal(
            Code.BAD_REQUEST,
            "{field} is another: of P{id} one attempt waits, {state}, over {sats:,} sats: payment show P{id} has its"
            " payment hash",
            field="hash_end",
            id=leg.id,
            state=attempt.state,
            sats=-(-attempt.amount_msat // MSAT),
        )
    lives_until = max((request.expires_at for request in requests), default=now)
    if lives_until > now:
        raise Refusal(
            Code.TOO_YOUNG,
            "the wallet may still act on the request for P{id}: wait {seconds} s",
            field="payment",
            extra={"at": lives_until},
            id=leg.id,
            seconds=lives_until - now,
        )
    return attempt
