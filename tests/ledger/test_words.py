"""What the rules say when they refuse, word for word: an operator reads it and acts on it."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from ledger.decide.entry import enter
from ledger.decide.landing import LandingPolicy, land
from ledger.decide.lp_settle import settle_lp
from ledger.decide.release import check_release
from ledger.decide.retry import check_retry
from ledger.decide.settlement_orders import check_withdrawal, partial, refund, reset
from ledger.errors import Refusal
from ledger.fees import FeeRates, TxType, check_cap
from ledger.money import MAX_FIAT_MINOR, MAX_SATS
from ledger.states import AttemptState, LegStatus, LegType, SettlementStatus
from tests.ledger.build import attempt, cash_in, leg, machine, platform, report, request, settlement, standing

S = SettlementStatus
PAID = [leg(id=2, status=LegStatus.COMPLETED), leg(id=3, status=LegStatus.COMPLETED)]
DCA_PAID = [leg(id=3, type=LegType.DCA, lp_id=1, status=LegStatus.COMPLETED)]
LANDING = LandingPolicy(rate_tolerance=Decimal("0.02"), reject_fee_mismatch=True)


def _settle(rate: str = "50", fiat_minor: int | None = None, **changes: Any) -> object:
    lp = standing(7, **{"available_minor": 150_000, "name": "ana", **changes})
    return settle_lp(machine(), lp, (), (), wallet="main", rate=Decimal(rate), fiat_minor=fiat_minor)


def _reset(age_seconds: int = 9_000, **changes: Any) -> object:
    return reset(settlement(**changes), (), (), age_seconds=age_seconds, threshold_minutes=30)


def _release(end: str, now: int = 0, **changes: Any) -> object:
    return check_release(leg(), attempt(**changes), (request(expires_at=30),), end, now)


def _refund(sats: int | None = None, **changes: Any) -> object:
    return refund(settlement(**changes), (), (), target="a@example.com", sats=sats)


@pytest.mark.parametrize(
    ("work", "says"),
    [
        (lambda: _settle("0"), "rate must be above 0: sats for one unit of fiat"),
        (lambda: _settle(fiat_minor=0), "amount must be above 0; without it all that remains is paid"),
        (
            lambda: _settle(target=None),
            "ana has not said yet where the sats go: ask for join with a Lightning address",
        ),
        (lambda: _settle(available_minor=0), "nothing of ana remains at sintra"),
        (lambda: _settle("0.0001"), "at this rate that comes to 0 sats: look at the rate"),
        (
            lambda: _release("zz"),
            "hash_end must be the last 8 digits of the payment hash",
        ),
        (
            lambda: _release("00000000"),
            (
                "hash_end is another: of P40 one attempt waits, sent, over 3,000 sats: "
                "payment show P40 has its payment hash"
            ),
        ),
        (
            lambda: _release("00000000", state=AttemptState.READY),
            "P40 is pending and waits for no wallet's word: there is nothing to release",
        ),
        (
            lambda: check_retry(settlement(), (), ()),
            "S12 is processing: only an errored settlement can be retried",
        ),
        (
            lambda: check_retry(settlement(status=S.ERRORED), (), {9, 4}),
            "the wallet has not said what became of P4, P9: wait until it has",
        ),
        (
            lambda: _reset(status=S.ERRORED),
            "S12 is errored: only a pending or processing settlement can be reset",
        ),
        (
            lambda: _reset(age_seconds=119),
            "S12 is processing for 1 min: it can be reset after more than 30 min",
        ),
        (
            lambda: partial(cash_in(), (), ()),
            "S12 is a cash_in: only a cash_out can be scaled to what was dispensed",
        ),
        (
            lambda: partial(settlement(status=S.PROCESSED), (), ()),
            "S12 is processed: only a pending, processing, partial or errored settlement can be scaled",
        ),
        (lambda: partial(settlement(), PAID, ()), "of S12 P2, P3 is paid already: it stays as it is"),
        (
            lambda: partial(settlement(), (), (), fraction_ppm=0),
            "fraction must be above 0 and at most 1 (100%)",
        ),
        (
            lambda: partial(settlement(), (), (), principal_sats=0),
            "sats is the principal that was dispensed: from 1 to the 100,000 sats that landed",
        ),
        (lambda: partial(settlement(), (), ()), "say how much was dispensed: either fraction or sats"),
        (
            lambda: partial(settlement(), (), (), fraction_ppm=1),
            "fraction leaves nothing of the settlement: settlement refund pays the customer back",
        ),
        (
            lambda: refund(cash_in(), (), (), target="a@example.com"),
            "S12 is a cash_in: its customer paid in cash, so there are no sats to give back",
        ),
        (
            lambda: _refund(status=S.UNVERIFIED),
            "S12 is unverified: nothing that was paid for it is proven, so nothing can be refunded",
        ),
        (
            lambda: refund(settlement(), DCA_PAID, (), target="a@example.com"),
            "of S12 P3 is paid already: it stays as it is",
        ),
        (
            lambda: refund(
                settlement(status=S.REFUNDED),
                [leg(type=LegType.REFUND, amount_sats=108_000)],
                (),
                target="a@example.com",
            ),
            "all 108,000 sats of S12 are refunded already",
        ),
        (lambda: _refund(108_001), "sats must be from 1 to 108,000: so much of S12 is left to refund"),
        (
            lambda: check_withdrawal(leg(), ()),
            "P40 is a super_fee that is pending: only a refund or lp settle that is not paid can be given up",
        ),
        (
            lambda: check_cap(
                FeeRates(100_000, 100_000), [("a", FeeRates(60_000, 0)), ("b", FeeRates(0, 70_000))], 150_000
            ),
            "platform and operator fee together may be at most 0.15: a (cash_in 0.16), b (cash_out 0.17)",
        ),
    ],
)
def test_a_refusal_says_what_is_wrong_and_the_way_out(work: Callable[[], object], says: str) -> None:
    with pytest.raises(Refusal) as refused:
        work()
    assert refused.value.message == says


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"currency": "EUR"}, "EUR reported, the machine's currency is GTQ"),
        ({"wire_sats": 0}, "amounts and rate must be positive, the fee not negative"),
        ({"wire_sats": MAX_SATS + 1}, "more sats than there are"),
        ({"fiat_minor": MAX_FIAT_MINOR + 1}, "more fiat than is taken"),
        ({"wire_sats": 1}, "wire is not principal plus fee for cash_out"),
        ({"tx_type": TxType.CASH_IN}, "wire is not principal less fee for cash_in"),
        ({"fee_sats": 50_001, "wire_sats": 150_001}, "the fee is more than half of the principal"),
        ({"fiat_minor": 100_000}, "fiat times rate is too far from the principal"),
        ({"fee_sats": 8_101, "wire_sats": 108_101}, "the fee differs by +101 sats from the fees that are set"),
    ],
)
def test_a_machine_and_a_person_hear_the_same_of_numbers(changes: dict[str, Any], says: str) -> None:
    made = report(**changes)
    assert land(made, machine(), platform(), None, LANDING).detail == says
    with pytest.raises(Refusal) as refused:
        enter(made, machine(), platform(), LANDING, known=None, own_leg=None)
    assert refused.value.message == says


def test_a_machine_that_is_not_ours() -> None:
    landing = land(report(), machine(active=False), platform(), None, LANDING)
    assert landing.detail == "machine sintra is deactivated"
    again = land(report(payment_hash="0" * 55 + "123456789", wire_sats=1), machine(), platform(), settlement(), LANDING)
    assert again.detail == "payment hash 23456789 came again with other amounts"
