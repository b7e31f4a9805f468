"""Each invariant holds on good books and names each way in which books can be wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest

from ledger import invariants
from ledger.decide.attempt import Seen
from ledger.facts import (
    AttemptFacts,
    CashFacts,
    CreditFacts,
    DepositFacts,
    EnrolmentFacts,
    LegFacts,
    ProvenFacts,
    SealFacts,
    SettlementFacts,
    Violation,
    WalletRow,
)
from ledger.invariants import (
    State,
    _reachable,
    check_cash,
    check_changes,
    check_credits,
    check_enrolment,
    check_leg,
    check_seals,
    check_settlement,
    check_wallet,
    check_wallet_settlements,
)
from ledger.model import Attempt, Leg, Settlement
from ledger.states import AttemptState, DepositStatus, EvidenceClass, LegStatus, LegType, SettlementStatus
from tests.ledger.build import (
    HASH,
    LANDED,
    T,
    attempt,
    cash_in,
    hash_of,
    leg,
    leg_facts,
    paid_leg,
    preimage,
    request,
    scaled,
    seen,
    settlement,
    with_requests,
)

A, E, L, S = AttemptState, EvidenceClass, LegStatus, SettlementStatus
DONE: dict[str, Any] = {"status": L.COMPLETED, "completed_at": T}


def names(found: tuple[Violation, ...]) -> list[str]:
    return [violation.name for violation in found]


def leg_with(made: Leg, *attempts: Attempt) -> list[str]:
    return names(check_leg(leg_facts(made, attempts)))


# -- 1 and 3: legs and attempts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "facts",
    [
        leg_facts(leg()),
        leg_facts(leg(), [attempt(state=A.READY)]),
        leg_facts(leg(), [attempt(1, state=A.RELEASED), attempt(2, state=A.DROPPED), attempt(3)]),
        leg_facts(leg(status=L.FAILED), [attempt(state=A.RELEASED)]),
        leg_facts(leg(status=L.VOIDED), [attempt(state=A.SETTLED, surplus=True)]),
        paid_leg(40),
        paid_leg(40, credit_sats=2_999),
        paid_leg(40, status=L.REFUNDED),
        leg_facts(leg(**DONE, credit_sats=3_000)),
        leg_facts(leg(**DONE), [attempt(1, state=A.SETTLED), attempt(2, state=A.SETTLED, surplus=True)]),
        leg_facts(leg(**DONE), [attempt(1, state=A.SETTLED), attempt(2)]),
        leg_facts(leg(type=LegType.DCA, lp_id=1, fiat_minor=5)),
    ],
)
def test_good_legs(facts: LegFacts) -> None:
    assert check_leg(facts) == ()


@pytest.mark.parametrize("other", [A.READY, A.SENT, A.CLAIMED])
def test_two_live_attempts(other: AttemptState) -> None:
    found = check_leg(leg_facts(leg(), [attempt(1), attempt(2, state=other)]))
    assert found == (Violation("one_live_attempt", "P40", "2 live attempts"),)


def test_two_settled_attempts() -> None:
    assert leg_with(leg(**DONE), attempt(1, state=A.SETTLED), attempt(2, state=A.SETTLED)) == ["one_settled_attempt"]


@pytest.mark.parametrize("status", [L.FAILED, L.SKIPPED, L.VOIDED])
def test_a_live_attempt_of_a_closed_leg(status: LegStatus) -> None:
    """But the wallet may claim, after the release, that it paid: then the closed leg is held until that is clear."""
    for state in (A.READY, A.SENT):
        assert leg_with(leg(status=status), attempt(state=state)) == ["live_attempt_of_closed_leg"]
    assert leg_with(leg(status=status), attempt(state=A.CLAIMED)) == []


@pytest.mark.parametrize(
    "made",
    [leg(**DONE), leg(**DONE, credit_sats=1), leg(status=L.REFUNDED)],
)
def test_a_completed_leg_that_nothing_paid(made: Leg) -> None:
    assert leg_with(made) == ["completed_without_payment"]
    assert leg_with(made, attempt(state=A.SETTLED, surplus=True)) == ["completed_without_payment"]
    assert leg_with(made, attempt(state=A.RELEASED)) == ["completed_without_payment"]


@pytest.mark.parametrize("amount_msat", [2_999_999, 3_000_001])
def test_a_leg_paid_with_another_amount(amount_msat: int) -> None:
    assert leg_with(leg(**DONE), attempt(state=A.SETTLED, amount_msat=amount_msat)) == ["completed_without_payment"]


def test_a_payment_beside_a_credit_that_covers_all() -> None:
    paid = attempt(state=A.SETTLED)
    assert leg_with(leg(**DONE, credit_sats=3_000), paid) == ["completed_without_payment"]


@pytest.mark.parametrize("status", [L.PENDING, L.FAILED, L.SKIPPED, L.VOIDED])
def test_a_payment_that_did_not_complete_its_leg(status: LegStatus) -> None:
    assert leg_with(leg(status=status), attempt(state=A.SETTLED)) == ["settled_but_open"]


@pytest.mark.parametrize(
    "changes",
    [
        {"credit_sats": -1},
        {"credit_sats": 3_001},
        {"amount_sats": 0},
        {"fiat_minor": -1, "type": LegType.DCA, "lp_id": 1},
        {"fiat_minor": 1},
        {"fiat_minor": 1, "type": LegType.AUTOFORWARD, "lp_id": 1},
        {"fiat_minor": 1, "type": LegType.DCA},
    ],
)
def test_amounts_that_cannot_be(changes: dict[str, Any]) -> None:
    assert leg_with(leg(**changes)) == ["leg_amounts"]


def test_an_attempt_that_pays_another_leg_or_from_another_wallet() -> None:
    assert leg_with(leg(), attempt(leg_id=41)) == ["attempt_moved"]
    assert leg_with(leg(), attempt(wallet="other")) == ["attempt_moved"]


@pytest.mark.parametrize("wrong", [None, "", "zz", "0" * 64, preimage(9), preimage(1)[:-2]])
def test_a_preimage_that_proves_nothing(wrong: str | None) -> None:
    assert leg_with(leg(**DONE), attempt(state=A.SETTLED, preimage=wrong)) == ["settled_without_proof"]


def test_a_surplus_that_was_not_paid() -> None:
    assert leg_with(leg(), attempt(surplus=True)) == ["surplus_unpaid"]


def attempt_with(made: Attempt, *requests: Any) -> list[str]:
    return names(check_leg(LegFacts(leg(), (AttemptFacts(made, requests),))))


@pytest.mark.parametrize("state", [A.READY, A.DROPPED])
def test_a_request_of_an_attempt_that_was_never_sent(state: AttemptState) -> None:
    assert attempt_with(attempt(state=state), request()) == ["published_before_sent"]
    assert attempt_with(attempt(state=state, sent_at=T)) == ["published_before_sent"]


@pytest.mark.parametrize("state", [A.SENT, A.CLAIMED, A.RELEASED])
def test_sent_without_stored_bytes(state: AttemptState) -> None:
    good = with_requests(attempt(state=state))
    unsent = replace(good, attempt=attempt(state=state, sent_at=None))
    for bad in (replace(good, requests=()), unsent):
        assert names(check_leg(LegFacts(leg(), (bad,)))) == ["sent_without_request"]


BY_RULE = (
    seen(E.NEGATIVE, "lookup"),
    seen(E.AMBIGUOUS, "lookup", 1),
    seen(E.NEGATIVE, "list", 2),
    seen(E.PROOF, "control", 3),
    seen(E.NEGATIVE, "verify", 4),
)
NO_WORD = "what its wallet said does not bear the release"


@pytest.mark.parametrize("lacking", [None, *BY_RULE], ids=lambda one: one.source if one else "nothing")
def test_a_release_rests_on_what_was_seen(lacking: Seen | None) -> None:
    """All of it, after the expiry, and with its line in the audit log: a row that was changed by hand has neither."""
    made = attempt(state=A.RELEASED, verify_url="https://example.com/verify")
    evidence = tuple(one for one in BY_RULE if one is not lacking)
    found = replace(with_requests(made), evidence=evidence)
    says = [] if lacking is None else [Violation("released_without_evidence", made.payment_hash, NO_WORD)]
    assert list(check_leg(LegFacts(leg(), (found,)))) == says
    early = replace(found, evidence=tuple(replace(one, asked_at=one.asked_at - 100) for one in evidence))
    assert names(check_leg(LegFacts(leg(), (early,)))) == ["released_without_evidence"]
    unlogged = replace(found, evidence=BY_RULE, release_logged=False)
    no_line = "the audit log has no word of its release"
    assert check_leg(LegFacts(leg(), (unlogged,))) == (
        Violation("released_without_evidence", made.payment_hash, no_line),
    )


@pytest.mark.parametrize("instead", [seen(E.NEGATIVE, "control", 3), seen(E.PROOF, "lookup", 3)])
def test_a_release_rests_on_a_control_that_found_something(instead: Seen) -> None:
    made = attempt(state=A.RELEASED)
    evidence = tuple(instead if one.source == "control" else one for one in BY_RULE)
    found = replace(with_requests(made), evidence=evidence)
    assert names(check_leg(LegFacts(leg(), (found,)))) == ["released_without_evidence"]


def test_a_claim_rests_on_a_claim() -> None:
    claimed = with_requests(attempt(state=A.CLAIMED))
    assert check_leg(LegFacts(leg(), (claimed,))) == ()
    only_asked = replace(claimed, evidence=(seen(E.NEGATIVE, "lookup"),))
    nobody = Violation(
        "claimed_without_evidence", claimed.attempt.payment_hash, "no wallet is known to have claimed it"
    )
    assert check_leg(LegFacts(leg(), (only_asked,))) == (nobody,)


def test_a_request_that_outlives_its_invoice() -> None:
    assert attempt_with(attempt(), request(expires_at=T + 3_600)) == []
    assert attempt_with(attempt(), request(expires_at=T + 3_601)) == ["request_outlives_invoice"]


def test_two_requests_that_live_together() -> None:
    first = request(1)
    assert attempt_with(attempt(), request(2, created_at=T + 600, expires_at=T + 900), first) == []
    assert attempt_with(attempt(), request(2, created_at=T + 599, expires_at=T + 900), first) == ["one_live_request"]


# -- cash --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "cash", "wrong"),
    [
        (settlement(), {"cash_minor": 200_000, "cash_due": True}, []),
        (settlement(), {"cash_minor": None}, []),
        (settlement(), {"cash_minor": None, "cash_due": True}, ["cash_not_moved"]),
        (settlement(), {"cash_minor": 400_000}, ["cash_moved"]),
        (settlement(), {"cash_minor": 199_999}, ["cash_moved"]),
        (settlement(), {"cash_minor": 0}, ["cash_moved"]),
        (settlement(), {"cash_minor": 202_000, "notes_named": True}, []),
        (settlement(), {"cash_minor": 199_000, "notes_named": True}, ["cash_moved"]),
        (scaled(), {"cash_minor": 100_000, "notes_named": True}, []),
        (scaled(), {"cash_minor": 200_000, "notes_named": True}, ["cash_moved"]),
        (settlement(status=S.REFUNDED), {"cash_minor": 0}, []),
        (settlement(status=S.REFUNDED), {"cash_minor": 200_000}, []),
        (settlement(status=S.REFUNDED), {"cash_minor": 1}, ["cash_moved"]),
        (scaled(status=S.REFUNDED), {"cash_minor": 0}, ["cash_moved"]),
        (settlement(status=S.UNVERIFIED), {"cash_minor": None, "cash_due": True}, []),
        (settlement(status=S.REJECTED), {"cash_minor": 200_000}, ["cash_before_proof"]),
        (cash_in(), {"cash_minor": 200_000}, []),
        (cash_in(), {"cash_minor": -200_000}, ["cash_moved"]),
    ],
)
def test_what_is_proven_moves_its_cash_once(made: Settlement, cash: dict[str, Any], wrong: list[str]) -> None:
    found = names(check_settlement(SettlementFacts(made, (), **cash)))
    assert [name for name in found if name.startswith("cash")] == wrong


def test_cash_is_the_sum_of_what_moved_it() -> None:
    good, bad = CashFacts(1, "bay 1", 5, 5), CashFacts(2, "box", 5, 4)
    assert list(check_cash([good, bad])) == [Violation("cash_sum", "m2", "box: 5 is stored, it must be 4")]


# -- 2: settlements ----------------------------------------------------------------------------------------------------


def own(status: LegStatus, *, fee: int = 3_000, split: int = 5_000, dca: int = 100_000) -> list[LegFacts]:
    """Legs of a cash-out, unpaid."""
    made = [
        leg(id=1, status=status, amount_sats=fee),
        leg(id=2, status=status, amount_sats=split, type=LegType.OPERATOR_SPLIT, payee="split:a"),
        leg(id=3, status=status, amount_sats=dca, type=LegType.DCA, payee="lp:1", lp_id=1),
    ]
    return [leg_facts(one) for one in made if one.amount_sats]


def of_split(status: LegStatus, sats: int) -> LegFacts:
    return leg_facts(leg(id=4, status=status, amount_sats=sats, type=LegType.OPERATOR_SPLIT, payee="split:b"))


def split_back(number: int, sats: int) -> LegFacts:
    return paid_leg(number, status=L.REFUNDED, amount_sats=sats, type=LegType.OPERATOR_SPLIT)


RESTORED = asdict(LANDED)
"""Scaled, and scaled back to all of it."""

PAID = [
    paid_leg(1),
    paid_leg(2, amount_sats=5_000, type=LegType.OPERATOR_SPLIT),
    paid_leg(3, amount_sats=100_000, type=LegType.DCA, lp_id=1, fiat_minor=200_000),
]


def check(made: Settlement, legs: list[LegFacts]) -> list[str]:
    return names(check_settlement(SettlementFacts(made, tuple(legs))))


@pytest.mark.parametrize(
    ("made", "legs"),
    [
        (settlement(status=S.UNVERIFIED), []),
        (settlement(status=S.REJECTED), []),
        (settlement(status=S.REJECTED, wire_sats=-7), []),
        (settlement(status=S.PENDING), []),
        (scaled(status=S.PARTIAL), own(L.VOIDED)),
        (scaled(), [*own(L.VOIDED), *own(L.PENDING, fee=1_500, split=2_500, dca=50_000)]),
        (scaled(**RESTORED), own(L.PENDING)),
        (settlement(status=S.PROCESSING), own(L.PENDING)),
        (settlement(status=S.PROCESSING), [PAID[0], *own(L.PENDING)[1:]]),
        (settlement(status=S.PROCESSING), [*own(L.VOIDED), *own(L.PENDING)]),
        (settlement(status=S.PROCESSED), PAID),
        (settlement(status=S.PROCESSED), own(L.SKIPPED)),
        (settlement(status=S.ERRORED), [*PAID[:2], own(L.FAILED)[2]]),
        (settlement(status=S.ERRORED), []),
        (settlement(status=S.PENDING), [*PAID[:2], own(L.VOIDED)[2]]),
        (settlement(status=S.REFUNDED), [PAID[0], *own(L.VOIDED)[1:]]),
        (cash_in(), own(L.PENDING, dca=0)),
        (cash_in(status=S.PROCESSED), PAID[:2]),
        (settlement(status=S.PROCESSED), [paid_leg(1, status=L.REFUNDED), *PAID[1:]]),
        (settlement(status=S.PROCESSED), [paid_leg(1, status=L.REFUNDED), *PAID[1:], paid_leg(4)]),
        (settlement(status=S.PENDING, platform_fee_sats=2_990, fee_mismatch_sats=10), []),
        (settlement(), [*own(L.PENDING, split=4_000), of_split(L.PENDING, 1_000)]),
        (settlement(), [own(L.PENDING)[0], own(L.PENDING)[2], split_back(2, 4_000), split_back(4, 1_000)]),
        (
            scaled(
                wire_sats=1, principal_sats=1, fee_sats=0, platform_fee_sats=0, operator_fee_sats=0, status=S.PARTIAL
            ),
            [],
        ),
    ],
)
def test_good_settlements(made: Settlement, legs: list[LegFacts]) -> None:
    assert check(made, legs) == []


@pytest.mark.parametrize(
    "changes",
    [{"wire_sats": 107_999}, {"fee_mismatch_sats": 1}, {"platform_fee_sats": 2_999}, {"fee_sats": 7_999}],
)
@pytest.mark.parametrize("status", [S.UNVERIFIED, S.PENDING])
def test_stored_amounts_that_do_not_add_up(changes: dict[str, Any], status: SettlementStatus) -> None:
    assert check(settlement(status=status, **changes), []) == ["settlement_arithmetic"]
    assert check(cash_in(status=status, wire_sats=108_000), []) == ["settlement_arithmetic"]


@pytest.mark.parametrize("status", [S.UNVERIFIED, S.REJECTED])
def test_legs_of_what_was_never_proven(status: SettlementStatus) -> None:
    assert check(settlement(status=status), own(L.VOIDED)) == ["legs_before_proof"]


@pytest.mark.parametrize("part", ["fee", "split", "dca"])
@pytest.mark.parametrize("off", [-1, 1])
def test_a_sat_too_much_or_too_little(part: str, off: int) -> None:
    amount = {"fee": 3_000, "split": 5_000, "dca": 100_000}[part] + off
    found = check_settlement(SettlementFacts(settlement(), tuple(own(L.PENDING, **{part: amount}))))
    assert names(found) == ["settlement_sum"]
    assert f"{amount - off} sats owed, {amount} in legs (processing)" in found[0].detail
    assert check(settlement(status=S.PROCESSED), own(L.SKIPPED, **{part: amount})) == ["settlement_sum"]
    assert check(settlement(status=S.ERRORED), own(L.FAILED, **{part: amount})) == ["settlement_sum"]


def test_one_part_cannot_make_up_for_another() -> None:
    assert check(settlement(), own(L.PENDING, fee=2_000, split=6_000)) == ["settlement_sum", "settlement_sum"]


@pytest.mark.parametrize(
    "changes",
    [
        {"landed": replace(LANDED, wire_sats=107_999)},
        {"landed": replace(LANDED, principal_sats=99_999)},
        {"landed": replace(LANDED, wire_sats=54_000, principal_sats=49_000, fee_sats=5_000)},
        {"landed": replace(LANDED, wire_sats=53_000, principal_sats=52_000, fee_sats=1_000)},
        {"landed": None},
        {"wire_sats": 0, "principal_sats": 0, "fee_sats": 0, "platform_fee_sats": 0, "operator_fee_sats": 0},
    ],
)
def test_a_settlement_is_scaled_to_a_part_of_what_landed(changes: dict[str, Any]) -> None:
    assert check(scaled(status=S.PARTIAL, **changes), []) == ["settlement_landed"]


def test_only_a_cash_out_is_scaled() -> None:
    landed = replace(LANDED, wire_sats=92_000)
    assert check(cash_in(status=S.PENDING, landed=landed), []) == ["settlement_landed"]
    assert check(cash_in(status=S.PENDING, landed=LANDED), []) == ["settlement_landed"]


@pytest.mark.parametrize("status", [S.PENDING, S.PARTIAL, S.REFUNDED, S.ERRORED])
def test_before_a_plan_there_may_be_less_in_legs_and_never_more(status: SettlementStatus) -> None:
    made = settlement(status=status, landed=LANDED)
    assert check(made, own(L.SKIPPED, dca=99_999)) == []
    assert check(made, own(L.SKIPPED, dca=100_001)) == ["settlement_sum"]


def test_a_cash_in_owes_no_principal() -> None:
    assert check(cash_in(), own(L.PENDING)) == ["settlement_sum"]


def test_a_leg_of_another_kind_is_owed_by_no_settlement() -> None:
    stray = leg_facts(leg(id=9, type=LegType.AUTOFORWARD))
    assert check(settlement(), [*own(L.PENDING), stray]) == ["settlement_sum"]


@pytest.mark.parametrize(
    ("status", "legs"),
    [
        (S.PROCESSED, own(L.PENDING)),
        (S.PROCESSED, own(L.FAILED)),
        (S.PROCESSING, own(L.SKIPPED)),
        (S.PROCESSING, own(L.FAILED)),
        (S.PENDING, own(L.PENDING)),
        (S.PARTIAL, own(L.PENDING)),
        (S.ERRORED, own(L.PENDING)),
        (S.REFUNDED, own(L.PENDING)),
        (S.REFUNDED, own(L.FAILED)),
    ],
)
def test_a_status_that_its_legs_do_not_bear_out(status: SettlementStatus, legs: list[LegFacts]) -> None:
    assert check(settlement(status=status, landed=LANDED), legs) == ["settlement_status"]


def test_what_is_wrong_with_a_leg_is_found_through_its_settlement() -> None:
    legs = [*own(L.PENDING)[:2], leg_facts(leg(id=3, type=LegType.DCA, amount_sats=100_000, **DONE))]
    assert check(settlement(), legs) == ["completed_without_payment"]
    assert check(settlement(status=S.UNVERIFIED), [leg_facts(leg(**DONE))]) == [
        "completed_without_payment",
        "legs_before_proof",
    ]


def refund(sats: int, **changes: Any) -> LegFacts:
    return leg_facts(leg(id=50, type=LegType.REFUND, amount_sats=sats, payee="customer:12", **changes))


def test_refunds() -> None:
    back = settlement(status=S.REFUNDED)
    assert check(back, [*own(L.VOIDED), refund(108_000)]) == []
    assert check(back, [*own(L.VOIDED), refund(108_001)]) == ["refund"]
    assert check(back, [*own(L.VOIDED), refund(108_000, status=L.FAILED), refund(1)]) == ["refund"]
    assert check(back, [*own(L.VOIDED), refund(108_000, status=L.VOIDED), refund(1)]) == []
    assert check(back, [*own(L.SKIPPED), refund(108_000)]) == []
    assert check(back, [PAID[2], refund(1)]) == ["refund"]
    assert check(settlement(status=S.ERRORED), [*own(L.FAILED), refund(1)]) == ["refund"]
    assert check(settlement(status=S.PROCESSED), [*PAID, refund(1, status=L.VOIDED)]) == []


def test_the_refund_of_a_scaled_settlement_is_bounded_by_what_came() -> None:
    back = scaled(status=S.REFUNDED)
    assert check(back, [refund(54_000), refund(54_000)]) == []
    assert check(back, [refund(108_001)]) == ["refund"]


def test_who_paid_in_cash_gets_no_sats_back() -> None:
    assert check(cash_in(status=S.REFUNDED), [refund(1)]) == ["refund"]


# -- what they say -----------------------------------------------------------------------------------------------------


def of_attempt(made: Attempt, *requests: Any) -> tuple[Violation, ...]:
    return check_leg(LegFacts(leg(), (AttemptFacts(made, requests),)))


def of_settlement(made: Settlement, *legs: LegFacts) -> tuple[Violation, ...]:
    return check_settlement(SettlementFacts(made, legs))


@pytest.mark.parametrize(
    ("find", "says"),
    [
        (
            lambda: check_leg(leg_facts(leg(status=L.FAILED), [attempt()])),
            ("live_attempt_of_closed_leg", "P40", "the leg is failed"),
        ),
        (lambda: check_leg(leg_facts(leg(credit_sats=-1))), ("leg_amounts", "P40", "3000 sats, credit -1")),
        (
            lambda: check_leg(leg_facts(leg(fiat_minor=1))),
            ("leg_amounts", "P40", "a super_fee leg takes no fiat off an LP"),
        ),
        (
            lambda: check_leg(leg_facts(leg(), [attempt(state=A.SETTLED)])),
            ("settled_but_open", "P40", "paid, and pending"),
        ),
        (
            lambda: check_leg(leg_facts(leg(**DONE), [attempt(1, state=A.SETTLED), attempt(2, state=A.SETTLED)])),
            ("one_settled_attempt", "P40", "2 attempts settled, none of them as surplus"),
        ),
        (
            lambda: check_leg(leg_facts(leg(**DONE, credit_sats=1))),
            ("completed_without_payment", "P40", "2999000 msat were due, 0 settled"),
        ),
        (lambda: of_attempt(attempt(leg_id=41), request()), ("attempt_moved", hash_of(1), "it pays P41 from main")),
        (
            lambda: check_leg(leg_facts(leg(**DONE), [attempt(state=A.SETTLED, preimage=preimage(2))])),
            ("settled_without_proof", hash_of(1), "its preimage does not hash to its payment hash"),
        ),
        (
            lambda: of_attempt(attempt(surplus=True), request()),
            ("surplus_unpaid", hash_of(1), "a surplus that is sent"),
        ),
        (
            lambda: of_attempt(attempt(state=A.READY), request()),
            ("published_before_sent", hash_of(1), "1 requests, ready"),
        ),
        (lambda: of_attempt(attempt()), ("sent_without_request", hash_of(1), "sent without stored bytes or time")),
        (
            lambda: of_attempt(attempt(), request(7, expires_at=T + 3_601)),
            ("request_outlives_invoice", hash_of(1), f"request {7:064x}"),
        ),
        (
            lambda: of_attempt(attempt(), request(2, created_at=T + 1), request(1)),
            ("one_live_request", hash_of(1), f"{1:064x} and {2:064x} live together"),
        ),
        (
            lambda: of_settlement(settlement(status=S.REJECTED), *own(L.VOIDED)),
            ("legs_before_proof", "S12", "3 legs, rejected"),
        ),
        (
            lambda: of_settlement(settlement(status=S.PROCESSED), *own(L.PENDING)),
            ("settlement_status", "S12", "processed, by its legs processing"),
        ),
        (
            lambda: of_settlement(settlement(status=S.ERRORED), *own(L.PENDING)),
            ("settlement_status", "S12", "errored with an open leg"),
        ),
        (
            lambda: of_settlement(settlement(status=S.REFUNDED), *own(L.FAILED)),
            ("settlement_status", "S12", "refunded with a failed leg, which still owes its sats"),
        ),
        (
            lambda: of_settlement(settlement(status=S.PENDING, wire_sats=1, fee_mismatch_sats=2)),
            ("settlement_arithmetic", "S12", "wire 1, must be 108000; fee 8000, must be 8002"),
        ),
        (
            lambda: of_settlement(settlement(status=S.PARTIAL)),
            ("settlement_landed", "S12", "scaled, and what landed is not there"),
        ),
        (
            lambda: of_settlement(cash_in(status=S.PENDING, landed=LANDED)),
            ("settlement_landed", "S12", "cash_in of 100000 sats, landed with 100000, fee 8000, wire 108000"),
        ),
        (
            lambda: of_settlement(settlement(), *own(L.PENDING, fee=2_999)),
            ("settlement_sum", "S12", "super_fee: 3000 sats owed, 2999 in legs (processing)"),
        ),
        (
            lambda: of_settlement(settlement(status=S.ERRORED), *own(L.FAILED), refund(1)),
            ("refund", "S12", "a refund of a settlement that is errored"),
        ),
        (lambda: of_settlement(cash_in(status=S.REFUNDED), refund(1)), ("refund", "S12", "the customer paid in cash")),
        (
            lambda: of_settlement(settlement(status=S.REFUNDED), refund(108_001)),
            ("refund", "S12", "108001 sats back, 108000 came"),
        ),
        (
            lambda: of_settlement(settlement(status=S.REFUNDED), PAID[2], refund(1)),
            ("refund", "S12", "the LPs have been paid for it"),
        ),
    ],
)
def test_a_violation_says_what_is_and_what_must_be(
    find: Callable[[], tuple[Violation, ...]], says: tuple[str, str, str]
) -> None:
    assert find() == (Violation(*says),)


# -- 4: enrolments, credits --------------------------------------------------------------------------------------------


def deposit(amount: int, status: DepositStatus, currency: str = "GTQ") -> DepositFacts:
    return DepositFacts(1, 1, 3, amount, currency, status)


def dca(status: LegStatus, sats: int, fiat: int, **changes: Any) -> Leg:
    return leg(
        **{"type": LegType.DCA, "status": status, "amount_sats": sats, "fiat_minor": fiat, "lp_id": 3, **changes}
    )


ENROLMENT = EnrolmentFacts(
    machine_id=1,
    lp_id=3,
    currency="GTQ",
    deposited_minor=1_000,
    pending_minor=70,
    paid_minor=450,
    reserved_minor=550,
    paid_sats=230,
    deposits=(
        deposit(600, DepositStatus.CONFIRMED),
        deposit(400, DepositStatus.CONFIRMED),
        deposit(70, DepositStatus.PENDING),
        deposit(9, DepositStatus.DELETED),
    ),
    legs=(
        dca(L.COMPLETED, 200, 400),
        dca(L.COMPLETED, 30, 50, type=LegType.SETTLEMENT),
        dca(L.PENDING, 100, 550),
        dca(L.FAILED, 100, 999),
        dca(L.VOIDED, 100, 999),
        dca(L.REFUNDED, 100, 999),
        dca(L.COMPLETED, 100, 0, type=LegType.AUTOFORWARD),
    ),
)


def test_a_good_enrolment() -> None:
    assert check_enrolment(ENROLMENT) == ()


@pytest.mark.parametrize("name", ["deposited_minor", "pending_minor", "paid_minor", "reserved_minor", "paid_sats"])
def test_a_stored_sum_that_is_not_the_sum(name: str) -> None:
    right = getattr(ENROLMENT, name)
    wrong: EnrolmentFacts = replace(ENROLMENT, **{name: right + 1})
    assert check_enrolment(wrong) == (
        Violation("enrolment_sum", "L3@m1", f"{name} is {right + 1}, its deposits and legs say {right}"),
    )


def test_more_given_than_was_deposited() -> None:
    over = replace(ENROLMENT, reserved_minor=551, legs=(*ENROLMENT.legs, dca(L.PENDING, 1, 1)))
    assert check_enrolment(over) == (Violation("negative_balance", "L3@m1", "-1 minor units"),)


def test_what_is_left_is_worked_out_anew_too() -> None:
    over = replace(ENROLMENT, reserved_minor=551, deposited_minor=1_001, legs=(*ENROLMENT.legs, dca(L.PENDING, 1, 1)))
    assert names(check_enrolment(over)) == ["enrolment_sum", "negative_balance"]
    short = replace(ENROLMENT, deposited_minor=0)
    assert names(check_enrolment(short)) == ["enrolment_sum"]


def test_another_currency() -> None:
    euros = replace(ENROLMENT, deposits=(*ENROLMENT.deposits, deposit(1, DepositStatus.DELETED, "EUR")))
    assert check_enrolment(euros) == (Violation("enrolment_currency", "L3@m1", "['EUR', 'GTQ'] at a machine of GTQ"),)
    legs = replace(ENROLMENT, legs=(*ENROLMENT.legs, dca(L.VOIDED, 1, 1, currency="EUR")))
    assert names(check_enrolment(legs)) == ["enrolment_currency"]
    nothing = EnrolmentFacts(1, 3, "GTQ", 0, 0, 0, 0, 0, (), ())
    assert check_enrolment(nothing) == ()


def credit(amount: int, used: int) -> CreditFacts:
    return CreditFacts("platform", amount, used, HASH, surplus_sats=amount)


@pytest.mark.parametrize(("paid", "for_what"), [(None, "no second payment"), (9, "9 sats paid twice")])
def test_a_credit_is_what_was_paid_twice(paid: int | None, for_what: str) -> None:
    found = check_credits([replace(credit(10, 0), surplus_sats=paid)], [])
    assert found == (Violation("credit", HASH, f"10 sats owed for {for_what}"),)


def test_credits_are_used_by_standing_legs_alone() -> None:
    legs = [leg(credit_sats=30), leg(credit_sats=20, **DONE), leg(credit_sats=5, status=L.REFUNDED)]
    assert check_credits([credit(40, 40), credit(20, 15)], legs) == ()
    assert check_credits([credit(40, 0)], []) == ()
    voided = [*legs, leg(credit_sats=1, status=L.VOIDED)]
    assert check_credits([credit(99, 56)], voided) == (Violation("credit", "platform", "56 sats used, 55 set off"),)
    assert check_credits([], [leg(credit_sats=1, payee="lp:1")]) == (
        Violation("credit", "lp:1", "0 sats used, 1 set off"),
    )


@pytest.mark.parametrize("used", [-1, 11])
def test_a_credit_is_used_up_to_its_amount(used: int) -> None:
    found = check_credits([credit(10, used)], [leg(credit_sats=used)])
    assert found == (Violation("credit", "platform", f"{used} used of 10 sats"),)


def test_what_payments_follow_is_as_an_order_set_it() -> None:
    now, then = ("ana@example.com",), ("ana@example.org",)
    good = SealFacts("ana", now, (then, now))
    altered, never_set = SealFacts("ben", now, (then,)), SealFacts("platform", now, ())
    assert check_seals([good]) == ()
    detail = "it is not as the audit log says that it was set"
    assert check_seals([altered, good, never_set]) == (
        Violation("target", "ben", detail),
        Violation("target", "platform", detail),
    )


# -- 5: the wallet's own list ------------------------------------------------------------------------------------------


def test_the_wallets_list_agrees() -> None:
    listed = [WalletRow(hash_of(1), True, 5), WalletRow(HASH, False, 7), WalletRow(hash_of(2), True, 9)]
    assert check_wallet(listed, {hash_of(1): 5}, {hash_of(2)}) == ()


def test_what_the_wallets_list_may_lack_or_have_too_much() -> None:
    assert check_wallet([], {HASH: 5}, {HASH}) == (
        Violation("not_in_wallet", HASH, "settled with 5 msat, not in the list"),
    )
    assert names(check_wallet([WalletRow(HASH, False, 5)], {HASH: 5}, set())) == ["not_in_wallet"]
    assert check_wallet([WalletRow(HASH, True, 6)], {HASH: 5}, set()) == (
        Violation("wallet_amount", HASH, "settled with 5 msat, listed 6"),
    )
    assert check_wallet([WalletRow(HASH, True, 6)], {}, set()) == (
        Violation("unexplained_payment", HASH, "6 msat went out"),
    )


def test_a_wallet_that_lists_what_left_it_with_the_fee() -> None:
    """5 msat paid, 2 for the way. Another sum is another sum, and what comes in has no fee."""
    for amount_msat, expected in ((5, []), (7, []), (6, ["wallet_amount"]), (3, ["wallet_amount"])):
        assert names(check_wallet([WalletRow(HASH, True, amount_msat, 2)], {HASH: 5}, set())) == expected
    assert names(check_wallet_settlements([WalletRow(hash_of(2), True, 11, 2)], PROVEN[1:], set())) == []
    assert names(check_wallet_settlements([WalletRow(hash_of(1), False, 7, 2)], PROVEN[:1], set())) == ["wallet_amount"]


PROVEN = [ProvenFacts("S1", WalletRow(hash_of(1), False, 5)), ProvenFacts("S2", WalletRow(hash_of(2), True, 9))]


@pytest.mark.parametrize(
    ("listed", "expected"),
    [
        ([WalletRow(hash_of(1), False, 5), WalletRow(hash_of(2), True, 9), WalletRow(HASH, False, 7)], ()),
        ([WalletRow(hash_of(1), False, 5), WalletRow(hash_of(2), True, 9), WalletRow(hash_of(3), True, 9)], ()),
        (
            [WalletRow(hash_of(1), True, 5), WalletRow(hash_of(2), True, 8)],
            (
                Violation("not_in_wallet", "S1", "paid with 5 msat, not in the list"),
                Violation("wallet_amount", "S2", "paid with 9 msat, listed 8"),
            ),
        ),
        (
            [*(each.row for each in PROVEN), WalletRow(hash_of(2), False, 9), WalletRow(hash_of(3), False, 4)],
            (
                Violation("unexplained_payment", hash_of(2), "9 msat came in"),
                Violation("unexplained_payment", hash_of(3), "4 msat came in"),
            ),
        ),
    ],
)
def test_what_the_wallets_list_says_of_settlements(listed: list[WalletRow], expected: tuple[Violation, ...]) -> None:
    """S1 is a cash-out, S2 a cash-in; HASH is known otherwise."""
    assert check_wallet_settlements(listed, PROVEN, {HASH}) == expected


# -- 6: changes of state -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"S1": S.UNVERIFIED, "P1": L.PENDING, "P2": L.SKIPPED, "a": A.READY, "D1": DepositStatus.PENDING}),
        ({"S1": S.PENDING}, {"S1": S.PENDING}),
        ({"S1": S.UNVERIFIED}, {"S1": S.PROCESSED}),
        ({"S1": S.ERRORED}, {"S1": S.PROCESSING}),
        ({}, {"S1": S.PROCESSING, "P1": L.COMPLETED, "a": A.SETTLED}),
        ({"a": A.RELEASED}, {"a": A.SETTLED}),
        ({}, {"S1": S.REJECTED}),
    ],
)
def test_good_changes(before: dict[str, State], after: dict[str, State]) -> None:
    assert check_changes(before, after) == ()


@pytest.mark.parametrize(
    ("before", "after", "detail"),
    [
        ({"S1": S.PENDING}, {}, "it is gone"),
        ({"S1": S.REJECTED}, {"S1": S.PENDING}, "rejected to pending"),
        ({"S1": S.PROCESSED}, {"S1": S.PROCESSING}, "processed to processing"),
        ({"P1": L.COMPLETED}, {"P1": L.PENDING}, "completed to pending"),
        ({"P1": L.VOIDED}, {"P1": L.COMPLETED}, "voided to completed"),
        ({"a": A.DROPPED}, {"a": A.READY}, "dropped to ready"),
        ({"a": A.SETTLED}, {"a": A.RELEASED}, "settled to released"),
        ({"D1": DepositStatus.CONFIRMED}, {"D1": DepositStatus.PENDING}, "confirmed to pending"),
        ({"D1": DepositStatus.CONFIRMED}, {"D1": DepositStatus.DELETED}, "confirmed to deleted"),
        ({"x": L.PENDING}, {"x": S.PROCESSING}, "pending to processing"),
    ],
)
def test_changes_outside_of_the_tables(before: dict[str, State], after: dict[str, State], detail: str) -> None:
    (ref,) = before
    assert check_changes(before, after) == (Violation("state_change", ref, detail),)


def test_what_begins_where_nothing_may_begin() -> None:
    """Among others that did not change; nothing leads to a leg that a row invents as settled, of another kind."""
    before: dict[str, State] = {"S1": S.PENDING}
    for new in (A.READY, L.PENDING):
        assert check_changes(before, {**before, "x": new}) == ()
    assert check_changes({"S1": S.REJECTED}, {"S1": S.REJECTED, "S2": S.UNVERIFIED, "S3": S.REFUNDED}) == ()
    assert check_changes({"P1": L.COMPLETED, "P2": L.VOIDED}, {"P1": L.COMPLETED, "P2": L.PENDING}) == (
        Violation("state_change", "P2", "voided to pending"),
    )


def test_where_no_row_of_the_table_leads_to_it_nothing_begins_there(monkeypatch: pytest.MonkeyPatch) -> None:
    changes, _ = invariants._TABLES[DepositStatus]
    monkeypatch.setattr(invariants, "_TABLES", {DepositStatus: (changes, (DepositStatus.CONFIRMED,))})
    assert check_changes({}, {"D1": DepositStatus.PENDING, "D2": DepositStatus.CONFIRMED}) == (
        Violation("state_change", "D1", "new to pending"),
    )


def test_any_number_of_allowed_changes_may_lie_between_two_moments() -> None:
    steps = {(A.READY, A.SENT), (A.SENT, A.CLAIMED), (A.CLAIMED, A.SETTLED)}
    further = {(A.READY, A.CLAIMED), (A.SENT, A.SETTLED), (A.READY, A.SETTLED)}
    assert _reachable(frozenset(steps)) == steps | further


def test_states_of_the_same_word_are_not_mixed_up() -> None:
    """`pending` is a state of settlements, legs and deposits: what leads on from one leads nowhere from another."""
    assert names(check_changes({"S1": S.PENDING}, {"S1": L.COMPLETED})) == ["state_change"]
    assert names(check_changes({}, {"a": A.SENT, "S1": S.REFUNDED, "D1": DepositStatus.DELETED})) == []


def test_with_requests_gives_what_was_sent_a_request() -> None:
    assert with_requests(attempt(state=A.READY)).requests == ()
    assert len(with_requests(attempt()).requests) == 1
