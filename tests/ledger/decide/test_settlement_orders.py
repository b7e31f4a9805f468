"""Reset, partial, refund: what each would do, and all that it refuses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.decide.settlement_orders import Partial, check_withdrawal, partial, refund, reset
from ledger.errors import Code, Refusal
from ledger.model import Amounts, Leg, Settlement
from ledger.states import LegStatus, LegType, SettlementStatus
from tests.ledger.build import LANDED, cash_in, leg, scaled, settlement

L, S = LegStatus, SettlementStatus


def legs(status: LegStatus = L.PENDING, **changes: LegStatus) -> list[Leg]:
    """P1 … P3 of a cash-out: fee, split, dca."""
    return [
        leg(id=1, status=changes.get("fee", status)),
        leg(id=2, status=changes.get("split", status), type=LegType.OPERATOR_SPLIT, amount_sats=5_000, payee="split:a"),
        leg(id=3, status=changes.get("dca", status), type=LegType.DCA, amount_sats=100_000, payee="lp:1", lp_id=1),
    ]


def ids(found: Sequence[Leg]) -> list[int]:
    return [each.id for each in found]


def refused(work: Callable[[], object], code: Code, field: str, says: str) -> None:
    with pytest.raises(Refusal) as caught:
        work()
    assert (caught.value.code, caught.value.field) == (code, field)
    assert says in caught.value.message


# --- reset -----------------------------------------------------------------------------------------------------------


def reset_it(
    made: Settlement, found: Sequence[Leg] = (), unresolved: Collection[int] = (), age: int = 1_801, minutes: int = 30
) -> tuple[Leg, ...]:
    return reset(made, found, unresolved, age_seconds=age, threshold_minutes=minutes)


def test_a_reset_fails_the_open_legs() -> None:
    assert ids(reset_it(settlement(), legs(fee=L.COMPLETED, split=L.FAILED))) == [3]
    assert reset_it(settlement(status=S.PENDING)) == ()


@pytest.mark.parametrize("status", [each for each in S if each not in (S.PENDING, S.PROCESSING)])
def test_only_what_is_under_way_is_reset(status: SettlementStatus) -> None:
    says = f"S12 is {status.value}: only a pending or processing"
    refused(lambda: reset_it(settlement(status=status)), Code.BAD_STATE, "settlement", says)


@pytest.mark.parametrize(("age", "minutes"), [(1_800, 30), (0, 30), (60, 1)])
def test_what_is_not_stuck_yet_is_not_reset(age: int, minutes: int) -> None:
    """The same moment at which the worklist begins to list it."""
    says = f"S12 is processing for {age // 60} min: it can be reset after more than {minutes} min"
    refused(lambda: reset_it(settlement(), age=age, minutes=minutes), Code.TOO_YOUNG, "settlement", says)
    assert reset_it(settlement(), age=minutes * 60 + 1, minutes=minutes) == ()
    assert reset_it(settlement(), age=age, minutes=0) == ()


@pytest.mark.parametrize("order", ["reset", "partial", "refund"])
@pytest.mark.parametrize("number", [1, 3, 9])
def test_nothing_while_a_payment_is_in_doubt(order: str, number: int) -> None:
    """Whichever leg it is, a voided one too: a claim may come after its release."""
    found = [*legs(), leg(id=9, status=L.VOIDED)]
    work: dict[str, Callable[[], object]] = {
        "reset": lambda: reset_it(settlement(), found, {number}),
        "partial": lambda: partial(settlement(), found, {number}, fraction_ppm=500_000),
        "refund": lambda: refund(settlement(), found, {number}, target="a@example.com"),
    }
    refused(work[order], Code.UNRESOLVED_PAYMENT, "settlement", f"what became of P{number}: wait until it has")


# --- partial ---------------------------------------------------------------------------------------------------------


def half(made: Settlement, found: Sequence[Leg] = ()) -> Partial:
    return partial(made, found, (), fraction_ppm=500_000)


def test_a_half_scales_every_amount_and_voids_every_leg_that_stands() -> None:
    decided = half(settlement(), [*legs(split=L.FAILED, dca=L.SKIPPED), leg(id=9, status=L.VOIDED)])
    assert (decided.was, decided.to) == (LANDED, scaled().amounts)
    assert ids(decided.voided) == [1, 2, 3]


def test_by_sats_it_is_the_principal_that_was_dispensed() -> None:
    assert partial(settlement(), (), (), principal_sats=50_000).to == scaled().amounts
    one = partial(settlement(), (), (), principal_sats=1).to
    assert one == Amounts(1, 1, 0, 0, 0, 2)
    all_of_it = partial(settlement(), (), (), principal_sats=100_000)
    assert all_of_it.to == LANDED


def test_a_fraction_is_taken_of_each_amount_not_of_the_rounded_principal() -> None:
    """Half of 2,000.00 is 1,000.00, whatever half of an odd principal comes to."""
    odd = settlement(principal_sats=100_001, wire_sats=108_001)
    assert half(odd).to == Amounts(54_000, 50_000, 4_000, 1_500, 2_500, 100_000)


@pytest.mark.parametrize("status", [S.PENDING, S.PROCESSING, S.PARTIAL, S.ERRORED])
def test_a_wrong_one_is_put_right_by_another(status: SettlementStatus) -> None:
    """Always of what landed, not of what the last one left."""
    decided = partial(scaled(status=status), (), (), fraction_ppm=750_000)
    assert decided.was == scaled().amounts
    assert decided.to == Amounts(81_000, 75_000, 6_000, 2_250, 3_750, 150_000)
    assert partial(scaled(status=status), (), (), fraction_ppm=1_000_000).to == LANDED


def test_the_fees_keep_the_proportion_in_which_they_landed() -> None:
    """A third of 1,000 + 2,000 and a mismatch of 5: the odd sat goes to the larger remainder."""
    landed = replace(LANDED, fee_sats=3_005, wire_sats=103_005, platform_fee_sats=1_000, operator_fee_sats=2_000)
    made = settlement(**asdict(landed), fee_mismatch_sats=5)
    to = partial(made, (), (), fraction_ppm=333_333).to
    assert (to.platform_fee_sats, to.operator_fee_sats, to.fee_mismatch_sats) == (333, 667, 2)
    free = settlement(platform_fee_sats=0, operator_fee_sats=0, fee_sats=0, wire_sats=100_000)
    assert half(free).to == Amounts(50_000, 50_000, 0, 0, 0, 100_000)


AMOUNTS = st.builds(
    lambda principal, fee, platform, operator, fiat: Amounts(principal + fee, principal, fee, platform, operator, fiat),
    st.integers(1, 10**12), st.integers(0, 10**11), st.integers(0, 10**11), st.integers(0, 10**11),
    st.integers(1, 10**12),
)  # fmt: skip


@given(AMOUNTS, st.integers(1, 1_000_000))
def test_what_is_scaled_still_adds_up(landed: Amounts, fraction_ppm: int) -> None:
    made = settlement(**asdict(landed), fee_mismatch_sats=landed.fee_mismatch_sats)
    if min(landed.principal_sats, landed.fiat_minor) * fraction_ppm <= 500_000:
        work = lambda: partial(made, (), (), fraction_ppm=fraction_ppm)  # noqa: E731
        refused(work, Code.BAD_REQUEST, "fraction", "leaves nothing")
        return
    to = partial(made, (), (), fraction_ppm=fraction_ppm).to
    assert to.wire_sats == to.principal_sats + to.fee_sats
    assert all(0 <= now <= asdict(landed)[name] for name, now in asdict(to).items())
    for name, now in asdict(to).items():
        if name not in ("wire_sats", "platform_fee_sats", "operator_fee_sats"):
            assert abs(now - asdict(landed)[name] * fraction_ppm / 1_000_000) <= 0.5 + 1e-3


@pytest.mark.parametrize(
    ("extent", "field"),
    [
        ({"fraction_ppm": 0}, "fraction"),
        ({"fraction_ppm": -1}, "fraction"),
        ({"fraction_ppm": 1_000_001}, "fraction"),
        ({"principal_sats": 0}, "sats"),
        ({"principal_sats": -1}, "sats"),
        ({"principal_sats": 100_001}, "sats"),
        ({}, "fraction"),
        ({"fraction_ppm": 500_000, "principal_sats": 50_000}, "fraction"),
        ({"fraction_ppm": 1}, "fraction"),
    ],
)
def test_an_extent_that_cannot_be(extent: dict[str, int], field: str) -> None:
    refused(lambda: partial(settlement(), (), (), **extent), Code.BAD_REQUEST, field, field)


def test_what_leaves_no_fiat_leaves_nothing() -> None:
    says = "sats leaves nothing of the settlement"
    coarse = settlement(fiat_minor=1)
    refused(lambda: partial(coarse, (), (), principal_sats=50_000), Code.BAD_REQUEST, "sats", says)


@pytest.mark.parametrize("status", [S.UNVERIFIED, S.REJECTED, S.PROCESSED, S.REFUNDED])
def test_what_is_not_under_way_is_not_scaled(status: SettlementStatus) -> None:
    refused(lambda: half(settlement(status=status)), Code.BAD_STATE, "settlement", f"S12 is {status.value}")


@pytest.mark.parametrize("status", [L.COMPLETED, L.REFUNDED])
def test_what_is_paid_in_part_is_not_scaled(status: LegStatus) -> None:
    refused(lambda: half(settlement(), legs(split=status)), Code.BAD_STATE, "settlement", "of S12 P2 is paid already")


def test_a_cash_in_is_neither_scaled_nor_refunded() -> None:
    refused(lambda: half(cash_in()), Code.BAD_STATE, "settlement", "only a cash_out")
    work = lambda: refund(cash_in(), (), (), target="a@example.com")  # noqa: E731
    refused(work, Code.BAD_STATE, "settlement", "its customer paid in cash")


# --- refund ----------------------------------------------------------------------------------------------------------


def back(number: int, sats: int, status: LegStatus) -> Leg:
    return leg(id=number, type=LegType.REFUND, amount_sats=sats, status=status, payee="customer:12")


def test_a_refund_gives_all_back_and_keeps_what_was_due() -> None:
    decided = refund(settlement(), legs(fee=L.COMPLETED, split=L.FAILED), (), target="a@example.com")
    assert ids(decided.voided) == [2, 3]
    assert decided.due == {LegType.SUPER_FEE: 0, LegType.OPERATOR_SPLIT: 5_000, LegType.DCA: 100_000}
    made = decided.leg
    assert (made.type, made.status, made.amount_sats) == (LegType.REFUND, L.PENDING, 108_000)
    assert (made.payee, made.target, made.lp_id, decided.left_sats) == ("customer:12", "a@example.com", None, 0)
    assert made.label == "customer of S12"


def test_skipped_legs_stay_for_their_sats_are_kept_already() -> None:
    decided = refund(settlement(status=S.PROCESSED), legs(L.SKIPPED), (), target="a@example.com", sats=8_000)
    assert (decided.voided, set(decided.due.values())) == ((), {0})
    assert (decided.leg.amount_sats, decided.left_sats) == (8_000, 100_000)


def test_several_smaller_ones_come_to_no_more_than_landed() -> None:
    """What stands counts, paid or not; what failed or was not taken is replaced, and counts no more."""
    made = scaled(status=S.REFUNDED)
    found = [
        *legs(L.VOIDED), back(5, 30_000, L.COMPLETED), back(6, 20_000, L.PENDING), back(7, 9_000, L.FAILED),
        back(8, 9_000, L.SKIPPED), back(9, 9_000, L.VOIDED),
    ]  # fmt: skip
    decided = refund(made, found, (), target="a@example.com")
    assert (decided.leg.amount_sats, ids(decided.voided), decided.due) == (58_000, [7, 8], {})
    work = lambda: refund(made, found, (), target="a@example.com", sats=58_001)  # noqa: E731
    refused(work, Code.BAD_REQUEST, "sats", "sats must be from 1 to 58,000: so much of S12 is left")
    full = [*found, back(10, 58_000, L.PENDING)]
    work = lambda: refund(made, full, (), target="a@example.com")  # noqa: E731
    refused(work, Code.BAD_STATE, "settlement", "all 108,000 sats of S12 are refunded already")


@pytest.mark.parametrize("sats", [0, -1, 108_001])
def test_an_amount_that_cannot_be(sats: int) -> None:
    work = lambda: refund(settlement(), (), (), target="a@example.com", sats=sats)  # noqa: E731
    refused(work, Code.BAD_REQUEST, "sats", "from 1 to 108,000")


@pytest.mark.parametrize(("back_already", "sats"), [(0, 1), (0, 108_000), (107_999, 1), (107_999, None)])
def test_a_refund_of_the_least_and_of_all(back_already: int, sats: int | None) -> None:
    found = [back(5, back_already, L.COMPLETED)] if back_already else []
    decided = refund(settlement(), found, (), target="a@example.com", sats=sats)
    assert decided.leg.amount_sats == (sats or 1)


def test_a_millionth_can_be_dispensed() -> None:
    large = settlement(**asdict(replace(LANDED, principal_sats=10**9, wire_sats=10**9 + 8_000, fiat_minor=10**9)))
    assert partial(large, (), (), fraction_ppm=1).to.principal_sats == 1_000


@pytest.mark.parametrize("status", [S.UNVERIFIED, S.REJECTED])
def test_what_was_never_proven_is_not_refunded(status: SettlementStatus) -> None:
    work = lambda: refund(settlement(status=status), (), (), target="a@example.com")  # noqa: E731
    refused(work, Code.BAD_STATE, "settlement", f"S12 is {status.value}")


def test_once_an_lp_is_paid_there_is_no_refund() -> None:
    work = lambda: refund(settlement(), legs(dca=L.COMPLETED), (), target="a@example.com")  # noqa: E731
    refused(work, Code.BAD_STATE, "settlement", "of S12 P3 is paid already")


@pytest.mark.parametrize("status", [S.PENDING, S.PROCESSING, S.PARTIAL, S.ERRORED, S.PROCESSED])
def test_before_it_is_planned_all_of_it_was_due(status: SettlementStatus) -> None:
    decided = refund(scaled(status=status), (), (), target="a@example.com")
    assert decided.due == scaled().owed
    assert decided.leg.amount_sats == 108_000


# --- giving up -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [L.PENDING, L.FAILED, L.SKIPPED])
@pytest.mark.parametrize("kind", [LegType.REFUND, LegType.SETTLEMENT])
def test_what_an_order_made_and_nobody_paid_may_be_given_up(kind: LegType, status: LegStatus) -> None:
    made = leg(type=kind, status=status)
    check_withdrawal(made, ())
    refused(lambda: check_withdrawal(made, [40]), Code.UNRESOLVED_PAYMENT, "payment", "what became of P40")


@pytest.mark.parametrize(
    "changes",
    [{"status": status} for status in L if status not in (L.PENDING, L.FAILED, L.SKIPPED)]
    + [{"type": kind, "status": L.FAILED} for kind in (LegType.DCA, LegType.SUPER_FEE, LegType.AUTOFORWARD)],
)
def test_nothing_else_is_given_up(changes: dict[str, Any]) -> None:
    made = leg(**{"type": LegType.REFUND, **changes})
    refused(lambda: check_withdrawal(made, ()), Code.BAD_STATE, "payment", "P40 is a ")
