"""Text becomes money exactly or not at all."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.errors import Code, Refusal
from ledger.money import (
    MAX_FIAT_MINOR,
    PPM,
    decimal_text,
    fiat_digits,
    fiat_text,
    fiat_to_sats,
    fiat_to_sats_floor,
    fiat_value_in_sats,
    fraction_text,
    parse_decimal,
    parse_fiat,
    parse_fraction,
    sats_to_fiat,
    share_of,
    share_ppm,
)

NO_NUMBER = [
    "", " ", "NaN", "nan", "sNaN", "Infinity", "-Infinity", "inf", "1e400", "1E2", "1e-2", "-1", "+1", "-0", "1,000",
    "1 000", "1_000", " 1", "1 ", "1\n", ".5", "5.", "1.2.3", "0x10", "\u0661\u0662", "\uff11", "1\u0660", "\u00bd",
    "1" * 31, "0." + "1" * 31, "true", "None", "1\x00", "--1", "\u22121",
]  # fmt: skip


@pytest.mark.parametrize("text", NO_NUMBER)
def test_what_is_no_plain_decimal_is_refused_and_the_field_is_named(text: str) -> None:
    for parse in (parse_decimal, parse_fraction, lambda value, field: parse_fiat(value, "GTQ", field)):
        with pytest.raises(Refusal) as refused:
            parse(text, "amount")
        assert refused.value.code is Code.BAD_REQUEST
        assert refused.value.field == "amount"
        assert "amount" in refused.value.message


@given(st.integers(0, 10**30 - 1), st.integers(1, 30))
def test_a_plain_decimal_keeps_every_digit(number: int, digits: int) -> None:
    text = f"{number}.{number % 10**digits:0{digits}d}"
    assert f"{parse_decimal(text, 'x'):f}" == text
    assert parse_decimal(str(number), "x") == number


@given(st.text())
def test_any_text_is_a_decimal_or_a_refusal(text: str) -> None:
    try:
        value = parse_decimal(text, "x")
    except Refusal:
        return
    assert value.is_finite()
    assert value >= 0


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("2000.00", "GTQ", 200_000),
        ("2000.5", "GTQ", 200_050),
        ("2000", "GTQ", 200_000),
        ("0.01", "EUR", 1),
        ("5000", "JPY", 5_000),
        ("5000.0", "JPY", 5_000),
        ("1.234", "KWD", 1_234),
        ("10000000000000.00", "GTQ", MAX_FIAT_MINOR),
        ("0", "GTQ", 0),
        ("1.500000000000000000000000000000", "USD", 150),
    ],
)
def test_fiat_text_becomes_minor_units(text: str, currency: str, minor: int) -> None:
    assert parse_fiat(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency", "says"),
    [
        ("0.001", "GTQ", "amount: GTQ has 2 digits after the point"),
        ("0.5", "JPY", "amount: JPY has 0 digits after the point"),
        ("1.2345", "KWD", "amount: KWD has 3 digits after the point"),
        ("10000000000000.01", "GTQ", "amount is too large"),
        ("92233720368547758.08", "GTQ", "amount is too large"),
        ("9" * 30, "GTQ", "amount is too large"),
    ],
)
def test_fiat_that_does_not_fit_is_refused(text: str, currency: str, says: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_fiat(text, currency)
    assert (refused.value.code, refused.value.field) == (Code.BAD_REQUEST, "amount")
    assert refused.value.message == says


@pytest.mark.parametrize("currency", ["", "gtq", "BTC", "XXX", "GTQ ", "GT", "\u0410\u0415\u0414"])
def test_what_is_no_currency_is_refused(currency: str) -> None:
    with pytest.raises(Refusal) as refused:
        fiat_digits(currency)
    assert refused.value.field == "fiat"
    assert refused.value.code is Code.BAD_REQUEST


@given(st.integers(0, MAX_FIAT_MINOR), st.sampled_from(["GTQ", "JPY", "KWD"]))
def test_fiat_text_and_back(minor: int, currency: str) -> None:
    assert parse_fiat(fiat_text(minor, currency), currency) == minor
    assert fiat_text(-minor, currency) == (f"-{fiat_text(minor, currency)}" if minor else fiat_text(0, currency))


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (200_050, "GTQ", "2000.50"), (5, "GTQ", "0.05"), (0, "GTQ", "0.00"), (-5, "GTQ", "-0.05"), (7, "JPY", "7"),
        (-7, "JPY", "-7"), (1_005, "KWD", "1.005"),
    ],
)  # fmt: skip
def test_fiat_reads_as_people_write_it(minor: int, currency: str, text: str) -> None:
    assert fiat_text(minor, currency) == text


@pytest.mark.parametrize(
    ("text", "ppm"),
    [
        ("0.03", 30_000), ("3%", 30_000), ("0", 0), ("0%", 0), ("1", PPM), ("1.0", PPM), ("100%", PPM),
        ("0.000001", 1), ("0.0001%", 1), ("33.3333%", 333_333), ("0.1500000", 150_000),
    ],
)  # fmt: skip
def test_a_fraction_is_parts_per_million(text: str, ppm: int) -> None:
    assert parse_fraction(text, "fee") == ppm


@pytest.mark.parametrize("text", ["0.0000001", "0.00001%", "1.000001", "100.0001%", "%", "3%%", "3 %", "-3%", "101%"])
def test_a_fraction_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_fraction(text, "fee")
    assert (refused.value.code, refused.value.field) == (Code.BAD_REQUEST, "fee")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x", "fee must be a plain decimal number such as 2000.50"),
        ("0.0000001", "fee may have at most 6 digits after the point (0.000001)"),
        ("101%", "fee may be at most 1 (100%)"),
    ],
)
def test_why_a_fraction_is_none(text: str, says: str) -> None:
    with pytest.raises(Refusal) as refused:
        parse_fraction(text, "fee")
    assert refused.value.message == says


def test_why_a_currency_is_none() -> None:
    with pytest.raises(Refusal) as refused:
        fiat_digits("gtq")
    assert refused.value.message == "'gtq' is no ISO 4217 currency: use three capitals such as GTQ or EUR"


@given(st.integers(0, PPM))
def test_fraction_text_and_back(ppm: int) -> None:
    text = fraction_text(ppm)
    assert parse_fraction(text, "fee") == ppm
    assert len(text.split(".")[1]) >= 2


@pytest.mark.parametrize(
    ("ppm", "text"), [(30_000, "0.03"), (0, "0.00"), (500_000, "0.50"), (PPM, "1.00"), (1, "0.000001")]
)
def test_fraction_reads_as_a_rate(ppm: int, text: str) -> None:
    assert fraction_text(ppm) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [("50", "50"), ("50.00", "50"), ("0.1250", "0.125"), ("1E+3", "1000"), ("1E-7", "0.0000001"), ("100", "100")],
)
def test_a_rate_reads_without_exponent(value: str, text: str) -> None:
    assert decimal_text(Decimal(value)) == text


@given(st.integers(0, 21 * 10**14), st.integers(0, PPM))
def test_a_share_is_half_even_of_the_exact_product(amount: int, ppm: int) -> None:
    assert share_ppm(amount, ppm) == round(Fraction(amount * ppm, PPM))


@pytest.mark.parametrize(("amount", "share"), [(1, 0), (3, 2), (5, 2), (7, 4)])
def test_halves_go_to_the_even_sat(amount: int, share: int) -> None:
    assert share_ppm(amount, 500_000) == share


@given(st.integers(0, 10**15), st.integers(0, 10**15), st.integers(1, 10**15))
def test_a_part_of_a_whole_is_exact_and_halves_go_to_even(amount: int, part: int, whole: int) -> None:
    assert share_of(amount, part, whole) == round(Fraction(amount * part, whole))


RATES = st.builds(lambda digits, places: Decimal(digits).scaleb(-places), st.integers(1, 10**12), st.integers(0, 12))


@given(st.integers(0, MAX_FIAT_MINOR), st.sampled_from(["GTQ", "JPY", "KWD"]), RATES)
def test_fiat_to_sats_is_exact_whatever_the_context_of_the_caller(minor: int, currency: str, rate: Decimal) -> None:
    exact = Fraction(minor, 10 ** fiat_digits(currency)) * Fraction(rate)
    with localcontext(prec=3, rounding=ROUND_UP):
        assert fiat_to_sats_floor(minor, currency, rate) == exact.numerator // exact.denominator
        assert fiat_to_sats(minor, currency, rate) == round(exact)
        assert Fraction(fiat_value_in_sats(minor, currency, rate)) == exact


@given(st.integers(0, 21 * 10**14), st.sampled_from(["GTQ", "JPY", "KWD"]), RATES)
def test_sats_to_fiat_is_half_even_whatever_the_context_of_the_caller(sats: int, currency: str, rate: Decimal) -> None:
    exact = Fraction(sats * 10 ** fiat_digits(currency)) / Fraction(rate)
    with localcontext(prec=3, rounding=ROUND_UP):
        assert sats_to_fiat(sats, currency, rate) == round(exact)


def test_half_a_minor_unit_goes_to_the_even_one() -> None:
    assert sats_to_fiat(1, "GTQ", Decimal(200)) == 0  # 0.005
    assert sats_to_fiat(3, "GTQ", Decimal(200)) == 2  # 0.015


def test_no_rate_no_amount() -> None:
    with pytest.raises(ArithmeticError):
        sats_to_fiat(1, "GTQ", Decimal(0))


def test_a_refusal_shows_its_code_sentence_and_field() -> None:
    refusal = Refusal(Code.NOT_FOUND, "no such machine", field="machine", extra={"near": "sintra"})
    assert repr(refusal) == "Refusal(not_found, 'no such machine', field='machine')"
    assert str(refusal) == "no such machine"
    assert refusal.extra == {"near": "sintra"}
    assert refusal.order is None
