"""What the play is about: amounts that a reader can check in the head, and that come out in whole sats."""

from __future__ import annotations

import pytest

from bot.atm.cash import Cash
from bot.demo import rates, script
from ledger import money
from ledger.fees import FeeRates


def test_the_first_customer_shows_3000_and_5000() -> None:
    first = script.sales(1)[0]
    assert (first.cash_out, first.principal_sats, first.wire_sats, first.fiat) == (True, 100_000, 108_000, 2_000)
    assert (first.platform_fee_sats, first.operator_fee_sats) == (3_000, 5_000)


@pytest.mark.parametrize("network", ["regtest", "mainnet"])
def test_fees_fiat_and_splits_are_whole(network: str) -> None:
    planned = script.sales(30, network=network)
    assert [sale.number for sale in planned] == list(range(1, 31))
    assert {sale.tx_type for sale in planned} == {"cash_in", "cash_out"}
    for sale in planned:
        assert sale.platform_fee_sats * 100 == sale.principal_sats * 3
        assert sale.operator_fee_sats * 100 == sale.principal_sats * 5
        assert sale.fiat * script.SATS_PER_UNIT == sale.principal_sats
        assert all(sale.operator_fee_sats * percent % 100 == 0 for percent, _ in script.SPLITS)
        sign = 1 if sale.cash_out else -1
        assert sale.wire_sats == sale.principal_sats + sign * sale.fee_sats


def test_real_coins_are_a_hundredth() -> None:
    assert [sale.principal_sats * 100 for sale in script.sales(12, network="mainnet")] == [
        sale.principal_sats for sale in script.sales(12)
    ]


def test_without_a_customer_who_can_be_paid_everybody_buys_cash() -> None:
    assert all(sale.cash_out for sale in script.sales(12, cash_in=False))


@pytest.mark.parametrize("count", [0, 1, 12, 500])
@pytest.mark.parametrize("lps", [1, 5, 20])
@pytest.mark.parametrize("network", ["regtest", "mainnet"])
def test_the_lps_bring_more_than_is_sold(count: int, lps: int, network: str) -> None:
    planned = script.sales(count, network=network)
    brought = script.deposits(planned, lps)
    assert len(brought) == lps == len(set(script.lp_names(lps)))
    assert min(brought) > 0
    assert sum(brought) >= 2 * sum(sale.fiat for sale in planned if sale.cash_out)


@pytest.mark.parametrize("count", [0, 1, 2, 12, 500])
@pytest.mark.parametrize("network", ["regtest", "mainnet"])
@pytest.mark.parametrize("home", [script.MACHINE, script.SECOND])
def test_every_customer_gets_whole_notes(count: int, network: str, home: str) -> None:
    """Out of what the LPs brought there. At the second machine the large notes run low before the last customer."""
    planned = script.sales(count, network=network, homes=(script.MACHINE, script.SECOND))
    brought = sum(script.deposits(planned, 5, home))
    filled = script.filling(planned, brought, home, network=network)
    cash = Cash()
    cash.fill(filled.bays)
    assert 0 <= brought - cash.amount < 20
    low = False
    for sale in planned:
        if sale.home == home and sale.cash_out:
            notes = cash.notes_for(sale.fiat)
            assert notes is not None
            cash.dispense(notes)
            low = low or any(bay.count <= filled.low for bay in cash.bays.values() if filled.low)
    assert low is (home == script.SECOND and count >= 12)
    assert all(bay.count > filled.low for bay in filled.bays.values())


CURRENCIES = sorted(money._TWO_DIGITS | money._ZERO_DIGITS | money._THREE_DIGITS)
PLATFORM, OWN = FeeRates(0, 30_000), FeeRates(0, 40_000)


def test_every_currency_has_a_rate_and_bills_that_are_worth_a_visit() -> None:
    assert sorted(rates.SATS_PER_UNIT) == CURRENCIES
    for currency in CURRENCIES:
        assert 1_000 <= rates.smallest_bill(currency) * rates.sats_per_unit(currency) <= 2_500


@pytest.mark.parametrize("currency", ["GTQ", "USD", "JPY", "KWD", "LBP"])
@pytest.mark.parametrize("bills", [2, 3, 17, 400, 1_000_000])
def test_customers_of_a_visitors_machine_leave_something_to_settle(currency: str, bills: int) -> None:
    unit = 10 ** money.fiat_digits(currency)
    bill = rates.smallest_bill(currency)
    left, served = bills * bill * unit, 0
    while served < 100 and (sale := script.visit(served + 1, "home", currency, left, PLATFORM, OWN)) is not None:
        served += 1
        assert sale.cash_out
        assert (sale.number, sale.at, sale.currency) == (served, "home", currency)
        assert sale.fiat % bill == 0
        assert sale.principal_sats == sale.fiat * sale.rate <= 200_000
        assert sale.wire_sats == sale.principal_sats + sale.platform_fee_sats + sale.operator_fee_sats
        assert abs(sale.platform_fee_sats - sale.principal_sats * 0.03) <= 0.5
        assert sale.fiat * unit <= left / 2
        left -= sale.fiat * unit
    assert served
    assert left >= bill * unit


def test_nobody_comes_for_less_than_two_bills() -> None:
    assert script.visit(1, "home", "GTQ", 39_99, PLATFORM, OWN) is None
    assert script.visit(1, "home", "GTQ", 0, PLATFORM, OWN) is None
