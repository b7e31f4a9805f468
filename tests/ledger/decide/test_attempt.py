"""When an attempt may be asked for again, and when, alone, it is certain that it never settles."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.decide.attempt import (
    AttemptPolicy,
    Dossier,
    Seen,
    WalletProfile,
    check_delay,
    may_pay_again,
    missing_for_release,
    quarantine_seconds,
    request_expiry,
    resend_due,
    state_after,
)
from ledger.states import ATTEMPT_CHANGES, AttemptState, EvidenceClass
from tests.ledger.build import T, attempt, request

POLICY = AttemptPolicy(
    request_life=600,
    request_margin=60,
    resend=(20, 60, 180),
    resolve=(2, 5, 15, 60, 300),
    release_margin=600,
    release_gap=60,
    auto_release_max_sats=50_000,
)
DAY = 86_400
EXPIRES = T + 3_600
COUNTS = EXPIRES + 600
E = EvidenceClass


def dossier(*evidence: Seen, **changes: Any) -> Dossier:
    made = Dossier(
        attempt=attempt(),
        requests=(request(),),
        evidence=evidence,
        profile=WalletProfile.LNBITS,
        quarantine_override=-1,
        wallet_paused=False,
    )
    return replace(made, **changes)


def seen(cls: EvidenceClass, source: str, asked_at: int, received_at: int | None = None) -> Seen:
    return Seen(cls, source, asked_at, asked_at if received_at is None else received_at)


# -- what evidence does ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", AttemptState)
@pytest.mark.parametrize("found", EvidenceClass)
def test_only_proof_and_claim_change_anything(state: AttemptState, found: EvidenceClass) -> None:
    expected = {
        (AttemptState.SENT, E.PROOF): AttemptState.SETTLED,
        (AttemptState.CLAIMED, E.PROOF): AttemptState.SETTLED,
        (AttemptState.RELEASED, E.PROOF): AttemptState.SETTLED,
        (AttemptState.SENT, E.CLAIM): AttemptState.CLAIMED,
        (AttemptState.RELEASED, E.CLAIM): AttemptState.CLAIMED,
    }.get((state, found), state)
    assert state_after(state, found) is expected
    assert expected is state or (state, expected) in ATTEMPT_CHANGES


# -- requests ----------------------------------------------------------------------------------------------------------


def test_a_request_expires_with_its_life_or_before_its_invoice() -> None:
    assert request_expiry(EXPIRES, T, POLICY) == T + 600
    assert request_expiry(T + 660, T, POLICY) == T + 600
    assert request_expiry(T + 659, T, POLICY) == T + 599


def test_the_same_bytes_are_published_again_in_wider_steps_while_they_live() -> None:
    never = request(publishes=0, last_published_at=None)
    assert resend_due(dossier(requests=(never,)), T - 1, POLICY) is None
    assert resend_due(dossier(requests=(never,)), T, POLICY) is never
    for publishes, wait in ((1, 20), (2, 60), (3, 180)):
        once = request(publishes=publishes, last_published_at=T)
        assert resend_due(dossier(requests=(once,)), T + wait - 1, POLICY) is None
        assert resend_due(dossier(requests=(once,)), T + wait, POLICY) is once
    assert resend_due(dossier(requests=(request(publishes=4),)), T + 599, POLICY) is None


def test_no_bytes_leave_again_once_they_expired_were_answered_or_may_not_pay() -> None:
    due = request()
    assert resend_due(dossier(requests=(due,)), T + 599, POLICY) is due
    assert resend_due(dossier(requests=(due,)), T + 600, POLICY) is None
    assert resend_due(dossier(requests=(replace(due, answered=True),)), T + 599, POLICY) is None
    assert resend_due(dossier(requests=(due,), may_pay=False), T + 599, POLICY) is None
    assert resend_due(dossier(requests=()), T + 599, POLICY) is None
    for state in sorted(set(AttemptState) - {AttemptState.SENT}):
        assert resend_due(dossier(requests=(due,), attempt=attempt(state=state)), T + 599, POLICY) is None


def test_the_second_request_is_the_one_that_is_sent_again() -> None:
    second = request(2, created_at=T + 700, last_published_at=T + 700, expires_at=T + 1_300)
    assert resend_due(dossier(requests=(request(), second)), T + 720, POLICY) is second


def test_an_invoice_has_another_request_only_after_a_negative_look() -> None:
    good = dossier(seen(E.NEGATIVE, "lookup", T + 600), profile=WalletProfile.ALBY_LND)
    assert may_pay_again(good, T + 601, POLICY)
    assert not may_pay_again(good, T + 599, POLICY), "the first request still lives"
    assert not may_pay_again(replace(good, profile=WalletProfile.LNBITS), T + 601, POLICY)
    assert not may_pay_again(replace(good, repays=False), T + 601, POLICY)
    assert not may_pay_again(replace(good, wallet_paused=True), T + 601, POLICY)
    assert not may_pay_again(replace(good, may_pay=False), T + 601, POLICY)
    assert not may_pay_again(replace(good, requests=()), T + 601, POLICY)
    for state in sorted(set(AttemptState) - {AttemptState.SENT}):
        assert not may_pay_again(replace(good, attempt=attempt(state=state)), T + 601, POLICY)


@pytest.mark.parametrize(
    "evidence",
    [
        (),
        (seen(E.NEGATIVE, "lookup", T + 599),),
        (seen(E.NEGATIVE, "lookup", T + 599, T + 700),),
        (seen(E.NEGATIVE, "verify", T + 600),),
        (seen(E.PROOF, "control", T + 600),),
        (seen(E.NEGATIVE, "lookup", T + 600), seen(E.IN_FLIGHT, "lookup", T + 610)),
        (seen(E.NEGATIVE, "lookup", T + 600), seen(E.AMBIGUOUS, "list", T + 610)),
        (seen(E.NONE, "lookup", T + 600),),
    ],
)
def test_anything_less_than_a_negative_look_is_not_enough(evidence: tuple[Seen, ...]) -> None:
    assert not may_pay_again(dossier(*evidence, profile=WalletProfile.ALBY_LND), T + 700, POLICY)


def test_no_further_request_so_late_that_it_could_not_live() -> None:
    good = dossier(seen(E.NEGATIVE, "lookup", T + 600), profile=WalletProfile.UNKNOWN)
    assert may_pay_again(good, EXPIRES - 63, POLICY)
    assert not may_pay_again(good, EXPIRES - 62, POLICY)


def test_the_end_of_the_last_request_counts() -> None:
    second = request(2, created_at=T + 700, expires_at=T + 1_300)
    late = dossier(seen(E.NEGATIVE, "lookup", T + 650), requests=(request(), second), profile=WalletProfile.ALBY_LDK)
    assert not may_pay_again(late, T + 1_301, POLICY)
    assert may_pay_again(replace(late, evidence=(seen(E.NEGATIVE, "list", T + 1_300),)), T + 1_301, POLICY)


def test_looks_come_ever_more_rarely() -> None:
    assert [check_delay(n, POLICY) for n in range(7)] == [2, 5, 15, 60, 300, 300, 300]


# -- release -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("profile", "small", "large"),
    [
        (WalletProfile.LNBITS, 0, DAY),
        (WalletProfile.ALBY_LND, 900, 900),
        (WalletProfile.ALBY_LDK, DAY, 8 * DAY),
        (WalletProfile.UNKNOWN, DAY, 14 * DAY),
    ],
)
def test_quarantine_by_profile(profile: WalletProfile, small: int, large: int) -> None:
    assert quarantine_seconds(profile, 50_000_000, -1) == small
    assert quarantine_seconds(profile, 50_000_001, -1) == large
    assert quarantine_seconds(profile, 50_000_001, 0) == 0
    assert quarantine_seconds(profile, 1, 7) == 7


ENOUGH = (
    seen(E.NEGATIVE, "lookup", COUNTS),
    seen(E.NEGATIVE, "lookup", COUNTS + 60),
    seen(E.NEGATIVE, "list", COUNTS + 60),
    seen(E.PROOF, "control", COUNTS + 60),
)
NOW = COUNTS + 61


def missing(made: Dossier, now: int = NOW, policy: AttemptPolicy = POLICY, *, clock_sane: bool = True) -> str:
    return "; ".join(missing_for_release(made, now, policy, clock_sane=clock_sane))


LOOKS = "two look-ups, 60 s apart, that find nothing"
LIST = "the wallet's whole list without it"
CONTROL = "a control look-up that finds a known payment"
PAYEE = "the payee's own word (LUD-21)"


def test_with_everything_there_it_is_released() -> None:
    assert missing(dossier(*ENOUGH)) == ""


def test_with_nothing_there_all_is_named() -> None:
    bare = dossier(attempt=attempt(amount_msat=50_000_001, verify_url="https://x"), profile=WalletProfile.UNKNOWN)
    assert missing_for_release(bare, T, POLICY, clock_sane=False) == (
        "the invoice expired too recently",
        "the wallet profile's quarantine",
        LOOKS,
        LIST,
        CONTROL,
        PAYEE,
        "a clock that agrees with the wallet's",
        "an operator: the amount is over the automatic limit",
    )


@pytest.mark.parametrize(("without", "says"), [(0, LOOKS), (1, LOOKS), (2, LIST), (3, CONTROL)])
def test_each_piece_is_needed(without: int, says: str) -> None:
    assert missing(dossier(*ENOUGH[:without], *ENOUGH[without + 1 :])) == says


def test_each_piece_counts_only_when_asked_after_expiry_and_margin() -> None:
    for index, says in ((0, LOOKS), (2, LIST), (3, CONTROL)):
        early = list(ENOUGH)
        early[index] = replace(early[index], asked_at=COUNTS - 1)
        assert missing(dossier(*early)) == says


def test_nothing_that_another_connection_was_asked_counts() -> None:
    assert missing(dossier(*ENOUGH, connected_at=COUNTS - 1)) == ""
    assert missing(dossier(*ENOUGH, connected_at=COUNTS)) == LOOKS
    assert missing(dossier(*ENOUGH, connected_at=COUNTS + 60)) == "; ".join((LOOKS, LIST, CONTROL))


@pytest.mark.parametrize(
    ("controls", "same"),
    [
        ([], False),
        ([(E.PROOF, T)], False),  # through the connection before
        ([(E.PROOF, T + 1)], True),
        ([(E.PROOF, T + 1), (E.NONE, T + 2)], True),
        ([(E.PROOF, T + 1), (E.NEGATIVE, T + 2)], False),
        ([(E.NEGATIVE, T + 1), (E.PROOF, T + 2)], True),
    ],
)
def test_only_a_known_payment_that_it_finds_shows_that_it_is_the_same_wallet(
    controls: list[tuple[EvidenceClass, int]], same: bool
) -> None:
    evidence = [seen(E.NEGATIVE, "lookup", T + 600), *(seen(cls, "control", at) for cls, at in controls)]
    made = dossier(*evidence, profile=WalletProfile.ALBY_LND, sent_here=False, connected_at=T)
    assert may_pay_again(made, T + 601, POLICY) is same
    assert (resend_due(replace(made, requests=(request(publishes=1),)), T + 20, POLICY) is not None) is same
    assert may_pay_again(replace(made, sent_here=True), T + 601, POLICY)
    assert not may_pay_again(replace(made, sent_here=True, connected_at=T + 600), T + 601, POLICY), "not asked since"
    asked_at = max(one.asked_at for one in evidence if one.source in ("lookup", "list"))
    for connected_at, since in ((asked_at, False), (asked_at - 1, True)):
        again = replace(made, sent_here=True, profile=WalletProfile.ALBY_LND, connected_at=connected_at)
        assert may_pay_again(again, T + 601, POLICY) is since


def test_a_stale_answer_that_comes_late_counts_by_when_it_was_asked() -> None:
    stale = seen(E.NEGATIVE, "lookup", COUNTS - 1, COUNTS + 30)
    assert missing(dossier(stale, *ENOUGH[1:])) == LOOKS


def test_two_looks_a_minute_apart() -> None:
    close = seen(E.NEGATIVE, "lookup", COUNTS + 1)
    assert missing(dossier(close, *ENOUGH[1:])) == LOOKS
    assert missing(dossier(close, seen(E.NEGATIVE, "lookup", COUNTS + 61), *ENOUGH[2:])) == ""


def test_one_look_is_never_two_even_where_no_gap_is_asked_for() -> None:
    policy = replace(POLICY, release_gap=0)
    assert "two look-ups" in missing(dossier(*ENOUGH[1:]), policy=policy)
    assert missing(dossier(ENOUGH[1], *ENOUGH[1:]), policy=policy) == ""


@pytest.mark.parametrize("cls", [E.PROOF, E.CLAIM, E.IN_FLIGHT, E.AMBIGUOUS])
@pytest.mark.parametrize("source", ["pay", "notification", "list", "verify"])
def test_whatever_says_otherwise_starts_the_count_anew(cls: EvidenceClass, source: str) -> None:
    against = seen(cls, source, T, COUNTS + 60)
    assert LOOKS in missing(dossier(*ENOUGH, against))
    later = [replace(piece, asked_at=piece.asked_at + 61, received_at=piece.received_at + 61) for piece in ENOUGH]
    assert missing(dossier(*ENOUGH, against, *later)) == ""


def test_what_was_asked_in_the_second_in_which_something_else_was_said_does_not_count() -> None:
    against = seen(E.IN_FLIGHT, "lookup", T, COUNTS)
    assert missing(dossier(*ENOUGH, against)) == LOOKS
    later = [replace(piece, asked_at=piece.asked_at + 1) for piece in ENOUGH]
    assert missing(dossier(*later, against)) == ""


@pytest.mark.parametrize("source", ["pay", "lookup", "list", "notification", "verify", "control"])
def test_silence_and_errors_say_nothing_either_way(source: str) -> None:
    assert missing(dossier(*ENOUGH, seen(E.NONE, source, COUNTS + 60))) == ""


def test_an_ambiguous_look_is_decided_by_a_list_asked_after_it() -> None:
    """LNbits shows a failed payment with settled_at and no state at every look: its list tells."""
    looks = (seen(E.AMBIGUOUS, "lookup", COUNTS), seen(E.AMBIGUOUS, "lookup", COUNTS + 60))
    assert missing(dossier(*looks, *ENOUGH[2:])) == ""
    earlier_list = (looks[0], looks[1], seen(E.NEGATIVE, "list", COUNTS + 59), ENOUGH[3])
    assert LOOKS in missing(dossier(*earlier_list))
    without_list = (*looks, ENOUGH[3])
    assert LOOKS in missing(dossier(*without_list))
    assert LIST in missing(dossier(*without_list))
    undecided = (*looks, seen(E.AMBIGUOUS, "list", COUNTS + 60), ENOUGH[3])
    assert LOOKS in missing(dossier(*undecided))


def test_a_wallet_that_forgets_a_known_payment_is_not_believed() -> None:
    """Restored from an older backup it does not know ours either: the control that fails undoes what was counted."""
    forgets = seen(E.NEGATIVE, "control", COUNTS + 60)
    assert LOOKS in missing(dossier(*ENOUGH, forgets))
    assert missing(dossier(*ENOUGH, seen(E.IN_FLIGHT, "control", COUNTS + 60))) == ""
    not_found = (*ENOUGH[:3], seen(E.CLAIM, "control", COUNTS + 60))
    assert missing(dossier(*not_found)) == CONTROL


def test_a_proof_of_the_control_is_no_look_at_the_attempt() -> None:
    assert missing(dossier(ENOUGH[0], seen(E.NEGATIVE, "verify", COUNTS + 60), *ENOUGH[2:])) == LOOKS


def test_the_payees_own_word_is_needed_where_it_is_offered() -> None:
    offered = attempt(verify_url="https://example.com/verify/1")
    assert missing(dossier(*ENOUGH, attempt=offered)) == PAYEE
    assert missing(dossier(*ENOUGH, seen(E.NEGATIVE, "verify", COUNTS), attempt=offered)) == ""
    assert missing(dossier(*ENOUGH, seen(E.NEGATIVE, "verify", COUNTS - 1), attempt=offered)) == PAYEE


def test_the_clock_must_be_sane() -> None:
    assert missing(dossier(*ENOUGH), clock_sane=False) == "a clock that agrees with the wallet's"


def test_what_was_asked_before_the_quarantine_ended_does_not_count() -> None:
    """A payment that flips from failed to settled while the bot is down must be seen before anything is released."""
    alby = dossier(*ENOUGH, profile=WalletProfile.ALBY_LND)
    assert "the wallet profile's quarantine" in missing(alby, EXPIRES + 899)
    assert "the wallet profile's quarantine" not in missing(alby, EXPIRES + 900)
    assert missing(alby, EXPIRES + 10_000) == f"{LOOKS}; {LIST}; {CONTROL}"
    after = [replace(piece, asked_at=piece.asked_at + 300) for piece in ENOUGH]
    assert missing(dossier(*after, profile=WalletProfile.ALBY_LND), EXPIRES + 1_000) == ""


def test_the_quarantine_of_the_configuration_wins() -> None:
    assert missing(dossier(*ENOUGH, profile=WalletProfile.UNKNOWN, quarantine_override=0)) == ""
    assert "quarantine" in missing(dossier(*ENOUGH, quarantine_override=700))


def test_the_margin_after_expiry_is_waited_out() -> None:
    assert "the invoice expired too recently" in missing(dossier(*ENOUGH), COUNTS - 1)
    assert missing(dossier(*ENOUGH), COUNTS) == ""


def test_large_amounts_are_an_operators() -> None:
    assert missing(dossier(*ENOUGH, attempt=attempt(amount_msat=50_000_000))) == ""
    large = dossier(*ENOUGH, attempt=attempt(amount_msat=50_000_001), quarantine_override=0)
    assert missing(large) == "an operator: the amount is over the automatic limit"


@pytest.mark.parametrize("state", sorted(set(AttemptState) - {AttemptState.SENT}))
def test_only_what_was_sent_and_never_claimed_is_released_by_rule(state: AttemptState) -> None:
    said = missing(dossier(*ENOUGH, attempt=attempt(state=state)))
    assert said == "the wallet claims that it paid: an operator must decide"


EVIDENCE = st.lists(
    st.builds(
        lambda cls, source, asked, delay: seen(cls, source, T + asked, T + asked + delay),
        st.sampled_from(EvidenceClass),
        st.sampled_from(["pay", "notification", "lookup", "list", "control", "verify"]),
        st.integers(0, 10_000),
        st.integers(0, 200),
    ),
    max_size=14,
)


@given(EVIDENCE, st.integers(0, 12_000))
def test_nothing_is_released_while_the_newest_word_is_that_it_may_be_paid(evidence: list[Seen], after: int) -> None:
    evidence = [*ENOUGH, *evidence]
    if missing(dossier(*evidence), T + after):
        return
    assert after >= 4_200
    negative = [s for s in evidence if s.cls is E.NEGATIVE and s.source in ("lookup", "list")]
    newest = max(s.asked_at for s in negative)
    for piece in evidence:
        if piece.cls in (E.PROOF, E.CLAIM, E.IN_FLIGHT) and piece.source != "control":
            assert piece.received_at < newest
