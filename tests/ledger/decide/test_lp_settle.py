"""An LP's rest is paid out at the rate that is stated, never more than there is and never twice."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from decimal import Decimal

import pytest

from ledger.decide.lp_settle import LpSettlement, settle_lp
from ledger.errors import Code, Refusal
from ledger.model import EnrolmentStatus, Leg, LpMode, LpStanding
from ledger.money import MAX_SATS
from ledger.states import LegStatus, LegType
from tests.ledger.build import leg, machine, standing

L = LegStatus


def settle(
    rate: str = "50",
    fiat_minor: int | None = None,
    *,
    lp: LpStanding | None = None,
    earlier: Sequence[Leg] = (),
    unresolved: Collection[int] = (),
) -> LpSettlement:
    """Of an LP with 1,500.00 GTQ, unless another is given."""
    who = lp or standing(7, 150_000)
    return settle_lp(machine(), who, earlier, unresolved, wallet="till", rate=Decimal(rate), fiat_minor=fiat_minor)


def code_of(rate: str = "50", fiat_minor: int | None = None, lp: LpStanding | None = None) -> tuple[Code, str | None]:
    with pytest.raises(Refusal) as refused:
        settle(rate, fiat_minor, lp=lp)
    return refused.value.code, refused.value.field


def test_without_an_amount_all_that_remains() -> None:
    decided = settle("51.5")
    made = decided.leg
    assert (made.type, made.status, made.amount_sats, made.fiat_minor) == (
        LegType.SETTLEMENT, L.PENDING, 77_250, 150_000,
    )  # fmt: skip
    assert (made.lp_id, made.payee, made.target, made.label) == (7, "lp:7", "lp7@example.com", "lp7")
    assert (decided.wallet, decided.replaced, decided.remaining_minor) == ("till", (), 0)


@pytest.mark.parametrize(
    ("fiat_minor", "paid", "sats"),
    [(60_000, 60_000, 30_000), (150_000, 150_000, 75_000), (150_001, 150_000, 75_000), (1, 1, 0)],
)
def test_in_part_and_no_more_than_remains(fiat_minor: int, paid: int, sats: int) -> None:
    if sats:
        decided = settle("50", fiat_minor)
        assert (decided.leg.fiat_minor, decided.leg.amount_sats) == (paid, sats)
        assert decided.remaining_minor == 150_000 - paid
    else:  # half a sat: to even
        assert code_of("50", fiat_minor) == (Code.BAD_REQUEST, "rate")
        assert settle("150", fiat_minor).leg.amount_sats == 2


def test_whoever_is_paused_or_in_fixed_mode_is_paid_out_all_the_same() -> None:
    who = standing(7, 100, mode=LpMode.FIXED, status=EnrolmentStatus.PAUSED)
    assert settle(lp=who).leg.amount_sats == 50


def test_what_failed_before_is_replaced() -> None:
    earlier = [
        leg(id=number, type=LegType.SETTLEMENT, status=status, lp_id=7) for number, status in enumerate(LegStatus)
    ]
    assert [each.status for each in settle(earlier=earlier).replaced] == [L.FAILED, L.SKIPPED]


def test_not_while_the_wallet_may_have_paid_what_failed() -> None:
    earlier = [leg(id=5, type=LegType.SETTLEMENT, status=L.FAILED), leg(id=6, type=LegType.SETTLEMENT)]
    assert settle(earlier=earlier).replaced == (earlier[0],), "what is open is reserved already"
    with pytest.raises(Refusal) as refused:
        settle(earlier=earlier, unresolved={5})
    assert (refused.value.code, refused.value.field) == (Code.UNRESOLVED_PAYMENT, "lp")


@pytest.mark.parametrize("rate", ["0", "-1", "NaN", "Infinity"])
def test_a_rate_that_is_none(rate: str) -> None:
    assert code_of(rate) == (Code.BAD_REQUEST, "rate")


@pytest.mark.parametrize("rate", ["0.000001", "1500000000001"])
def test_a_rate_that_comes_to_nothing_or_to_more_than_there_is(rate: str) -> None:
    assert code_of(rate) == (Code.BAD_REQUEST, "rate")


def test_the_least_and_the_most() -> None:
    assert settle("100", lp=standing(7, 1)).leg.amount_sats == 1
    assert settle("0.5").leg.amount_sats == 750
    assert settle(str(MAX_SATS), 100).leg.amount_sats == MAX_SATS


@pytest.mark.parametrize("fiat_minor", [0, -1])
def test_an_amount_that_is_none(fiat_minor: int) -> None:
    assert code_of(fiat_minor=fiat_minor) == (Code.BAD_REQUEST, "amount")


def test_who_has_nothing_or_has_not_joined() -> None:
    assert code_of(lp=standing(7, 0)) == (Code.BAD_STATE, "lp")
    assert code_of(lp=standing(7, 100, target=None)) == (Code.NOT_ONBOARDED, "lp")
