"""The operator ends an attempt that the rules alone can't: never by accident, never while its request lives."""

from __future__ import annotations

from typing import Any

import pytest

from ledger.decide.release import check_release
from ledger.errors import Code, Refusal
from ledger.model import Attempt
from ledger.states import AttemptState, LegStatus
from tests.ledger.build import T, attempt, hash_of, leg, request

A = AttemptState
END = hash_of(1)[-8:]
OVER = T + 600
"""When the request has expired."""


def release(made: Attempt | None, end: str = END, now: int = OVER, requests: Any = None, **changes: Any) -> Attempt:
    return check_release(leg(**changes), made, (request(),) if requests is None else requests, end, now)


def refusal(made: Attempt | None, end: str = END, now: int = OVER, requests: Any = None) -> Refusal:
    with pytest.raises(Refusal) as refused:
        release(made, end, now, requests)
    return refused.value


@pytest.mark.parametrize("state", [A.SENT, A.CLAIMED])
@pytest.mark.parametrize("end", [END, END.upper(), f" {END} "])
def test_what_is_in_doubt_is_released_by_the_end_of_its_hash(state: AttemptState, end: str) -> None:
    made = attempt(state=state)
    assert release(made, end) is made
    assert release(made, end, status=LegStatus.FAILED) is made, "a claim after its release holds a closed leg"
    assert release(made, end, requests=()) is made


@pytest.mark.parametrize("made", [None, attempt(state=A.READY)])
def test_where_nothing_is_in_doubt_nothing_is_released(made: Attempt | None) -> None:
    found = refusal(made)
    assert (found.code, found.field) == (Code.BAD_STATE, "payment")
    assert found.message.startswith("P40 is pending and waits for no wallet's word")


@pytest.mark.parametrize("end", ["", "abc", END[1:], END + "0", hash_of(1), "zzzzzzzz", "\u0661" * 8])
def test_what_is_no_end_of_a_hash(end: str) -> None:
    found = refusal(attempt(), end)
    assert (found.code, found.field) == (Code.BAD_REQUEST, "hash_end")
    assert "the last 8 digits" in found.message


@pytest.mark.parametrize("end", [hash_of(2)[-8:], hash_of(1)[:8]])
def test_another_end_is_refused_and_the_right_one_not_told(end: str) -> None:
    found = refusal(attempt(state=A.CLAIMED), end)
    assert (found.code, found.field) == (Code.BAD_REQUEST, "hash_end")
    assert "of P40 one attempt waits, claimed, over 3,000 sats" in found.message
    assert END not in found.message


def test_not_while_the_wallet_may_still_act_on_a_request() -> None:
    made, two = attempt(), (request(1), request(2, created_at=T + 600, expires_at=T + 900))
    found = refusal(made, now=OVER - 1)
    assert (found.code, found.field, found.extra) == (Code.TOO_YOUNG, "payment", {"at": OVER})
    assert found.message == "the wallet may still act on the request for P40: wait 1 s"
    assert refusal(made, now=T + 899, requests=two).code is Code.TOO_YOUNG
    assert release(made, now=T + 900, requests=two) is made
