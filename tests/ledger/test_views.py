"""What people are shown: the right bucket, the documented shape, and always small enough for one event."""

from __future__ import annotations

import json
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.states import LegStatus, LegType, SettlementStatus
from ledger.views import (
    MAX_CONTENT_BYTES,
    Bucket,
    EnrolmentTotals,
    UnmatchedPayment,
    WorklistItem,
    average_cost,
    average_rate,
    content_digest,
    content_text,
    gone_reason,
    leg_bucket,
    leg_item,
    lp_balance,
    settlement_bucket,
    settlement_item,
    unmatched_bucket,
    unmatched_item,
    waiting_leg_bucket,
    worklist,
)
from tests.ledger.build import HASH, T, leg, settlement

S = SettlementStatus


@pytest.mark.parametrize(
    ("status", "young", "old"),
    [
        (S.REJECTED, Bucket.REJECTED, Bucket.REJECTED),
        (S.ERRORED, Bucket.ERRORED, Bucket.ERRORED),
        (S.UNVERIFIED, None, Bucket.UNVERIFIED),
        (S.PENDING, None, Bucket.STUCK_PENDING),
        (S.PARTIAL, None, Bucket.STUCK_PENDING),
        (S.PROCESSING, None, Bucket.STUCK_PROCESSING),
        (S.PROCESSED, None, None),
        (S.REFUNDED, None, None),
    ],
)
def test_buckets_of_settlements(status: SettlementStatus, young: Bucket | None, old: Bucket | None) -> None:
    assert settlement_bucket(status, 1_800, 30) is young
    assert settlement_bucket(status, 1_801, 30) is old
    assert settlement_bucket(status, 0, 0) is old, "a threshold of 0 lists everything that is unresolved"
    assert settlement_bucket(status, -5, 0) is old


def test_every_status_has_its_row_above() -> None:
    assert len(SettlementStatus) == 8


def test_a_skipped_leg_is_listed_and_a_failed_one_where_nothing_else_shows_it() -> None:
    assert leg_bucket(LegStatus.SKIPPED, S.PROCESSED) is Bucket.SKIPPED
    assert leg_bucket(LegStatus.SKIPPED, None) is Bucket.SKIPPED
    assert leg_bucket(LegStatus.FAILED, None) is Bucket.ERRORED
    assert leg_bucket(LegStatus.FAILED, S.REFUNDED) is Bucket.ERRORED
    assert leg_bucket(LegStatus.FAILED, S.ERRORED) is None
    assert leg_bucket(LegStatus.FAILED, S.PROCESSING) is None
    for status in (LegStatus.PENDING, LegStatus.COMPLETED, LegStatus.VOIDED, LegStatus.REFUNDED):
        assert leg_bucket(status, None) is None


@pytest.mark.parametrize("status", [None, S.REFUNDED, S.PROCESSED])
def test_an_open_leg_is_listed_when_it_is_overdue_and_nothing_else_shows_it(status: SettlementStatus | None) -> None:
    assert waiting_leg_bucket(status, 1_800, 30) is None
    assert waiting_leg_bucket(status, 1_801, 30) is Bucket.STUCK_PROCESSING
    assert waiting_leg_bucket(status, 0, 0) is Bucket.STUCK_PROCESSING
    for shown in (S.ERRORED, S.PROCESSING):
        assert waiting_leg_bucket(shown, 10_000, 30) is None


def test_what_is_known_beyond_the_status_is_the_reason() -> None:
    why = gone_reason("main")
    assert why == "wallet main is not in the configuration: put its connection back"
    told = settlement_item(Bucket.UNVERIFIED, settlement(status=S.UNVERIFIED, reason="not_paid"), "sintra", T, why=why)
    assert told.reason == why
    assert leg_item(Bucket.STUCK_PROCESSING, leg(reason="slow"), "sintra", why=why).reason.endswith(f": {why}")


def test_a_payment_without_a_settlement_is_given_time() -> None:
    assert unmatched_bucket(600, 600) is None
    assert unmatched_bucket(601, 600) is Bucket.UNMATCHED
    assert unmatched_bucket(0, 0) is Bucket.UNMATCHED


def test_the_worklist_has_the_documented_shape() -> None:
    made = settlement(status=S.ERRORED, reason="leg_failed", wire_sats=103_000)
    content = worklist([settlement_item(Bucket.ERRORED, made, "sintra", T)], T + 9)
    assert content == {
        "v": 1,
        "type": "worklist",
        "updated_at": T + 9,
        "buckets": {
            "rejected": [],
            "errored": [
                {
                    "id": "S12",
                    "machine": "sintra",
                    "status": "errored",
                    "wire_sats": 103_000,
                    "since": T,
                    "reason": "leg_failed",
                }
            ],
            "stuck_pending": [],
            "stuck_processing": [],
            "unverified": [],
            "unmatched": [],
            "skipped": [],
        },
    }
    assert json.loads(content_text(content)) == content


@pytest.mark.parametrize("status", SettlementStatus)
def test_every_settlement_says_why_it_is_there(status: SettlementStatus) -> None:
    item = settlement_item(Bucket.ERRORED, settlement(status=status), "sintra", T)
    reasons = {
        S.REJECTED: "rejected",
        S.ERRORED: "a payment failed: look at it, then retry",
        S.UNVERIFIED: "the machine's wallet has not shown the payment",
        S.PENDING: "waits to be shared out",
        S.PARTIAL: "scaled down, waits to be shared out",
        S.PROCESSING: "a payment of it is open",
    }
    assert item.reason == reasons.get(status, status.value)
    assert (item.id, item.status, item.wire_sats) == ("S12", status.value, 108_000)


def test_a_leg_names_its_settlement_and_reason() -> None:
    skipped = leg(type=LegType.DCA, status=LegStatus.SKIPPED, reason="no LP with a balance is there")
    item = leg_item(Bucket.SKIPPED, skipped, "sintra")
    assert item == WorklistItem(
        Bucket.SKIPPED, "S12", "sintra", "skipped", 3_000, T, "dca of S12: no LP with a balance is there", "P40"
    )
    alone = leg_item(Bucket.ERRORED, leg(type=LegType.SETTLEMENT, status=LegStatus.FAILED, settlement_id=None), "x")
    assert alone == WorklistItem(Bucket.ERRORED, "P40", "x", "failed", 3_000, T, "settlement: failed")


@pytest.mark.parametrize(("incoming", "word"), [(True, "incoming"), (False, "outgoing")])
def test_an_unmatched_payment_is_named_by_its_hash(incoming: bool, word: str) -> None:
    item = unmatched_item(UnmatchedPayment(HASH, "sintra", incoming, 1_500, T))
    reason = f"{word} payment that no settlement explains"
    assert item == WorklistItem(Bucket.UNMATCHED, HASH, "sintra", "unmatched", 2, T, reason)
    assert unmatched_item(UnmatchedPayment(HASH, "sintra", incoming, 2_000, T)).wire_sats == 2


def many(bucket: Bucket, count: int, **changes: Any) -> list[WorklistItem]:
    return [
        WorklistItem(bucket, f"S{n}", "sintra", "x", 1, T + n, changes.get("reason", "because")) for n in range(count)
    ]


def test_the_newest_come_first() -> None:
    tied = [WorklistItem(Bucket.ERRORED, name, "m", "x", 1, T, "r") for name in ("S2", "S1")]
    lines = worklist([*many(Bucket.ERRORED, 3), *tied], T)["buckets"]["errored"]
    assert [line["id"] for line in lines] == ["S2", "S1", "S0", "S1", "S2"]


def test_a_flood_in_one_bucket_hides_no_other() -> None:
    content = worklist([*many(Bucket.REJECTED, 2_000), *many(Bucket.SKIPPED, 3), *many(Bucket.UNVERIFIED, 3)], T)
    listed = {name: len(lines) for name, lines in content["buckets"].items()}
    assert (listed["skipped"], listed["unverified"]) == (3, 3)
    assert 300 < listed["rejected"] < 2_000
    assert content["more"] == 2_006 - sum(listed.values())
    assert content["buckets"]["rejected"][0]["since"] == T + 1_999
    assert MAX_CONTENT_BYTES - 300 < len(content_text(content).encode()) <= MAX_CONTENT_BYTES


def test_a_line_names_the_leg_where_its_id_is_the_settlement() -> None:
    item = leg_item(Bucket.SKIPPED, leg(status=LegStatus.SKIPPED), "sintra")
    (line,) = worklist([item], T)["buckets"]["skipped"]
    assert (line["id"], line["leg"]) == ("S12", "P40")
    (line,) = worklist(many(Bucket.ERRORED, 1), T)["buckets"]["errored"]
    assert "leg" not in line


def test_what_fits_to_the_byte_is_listed() -> None:
    empty, one = worklist([], T), worklist(many(Bucket.ERRORED, 1), T)
    room = len(content_text(one)) + 1 - len(content_text(empty))
    limit = len(content_text(empty)) + 40 + room
    assert worklist(many(Bucket.ERRORED, 1), T, limit=limit) == one
    assert worklist(many(Bucket.ERRORED, 1), T, limit=limit - 1) == {**empty, "more": 1}
    none, first = lp_balance("x", [], T), lp_balance("x", [totals()], T)
    limit = 2 * len(content_text(first)) - len(content_text(none)) + 2 + 40
    assert lp_balance("x", [totals()] * 2, T, limit=limit)["enrolments"] == first["enrolments"] * 2
    assert lp_balance("x", [totals()] * 2, T, limit=limit - 1) == {**first, "more": 1}


def test_what_the_caller_left_out_is_counted_too() -> None:
    assert worklist([], T, unlisted=7)["more"] == 7
    assert "more" not in worklist(many(Bucket.ERRORED, 2), T)


def test_a_long_reason_is_cut() -> None:
    assert len(worklist(many(Bucket.ERRORED, 1, reason="x" * 999), T)["buckets"]["errored"][0]["reason"]) == 200


@given(
    st.lists(
        st.builds(
            WorklistItem,
            bucket=st.sampled_from(Bucket),
            id=st.text(max_size=70),
            machine=st.text(max_size=64),
            status=st.text(max_size=12),
            wire_sats=st.integers(-(2**63), 2**63),
            since=st.integers(-(2**63), 2**63),
            reason=st.text(max_size=300),
        ),
        max_size=12,
    ),
    st.integers(240, 2_000),
    st.integers(0, 10**9),
)
def test_whatever_it_is_it_fits_and_nothing_is_lost(items: list[WorklistItem], limit: int, unlisted: int) -> None:
    content = worklist(items, T, unlisted=unlisted, limit=limit)
    assert len(content_text(content).encode()) <= limit
    listed = sum(map(len, content["buckets"].values()))
    assert listed + content.get("more", 0) == len(items) + unlisted


# -- LP balance --------------------------------------------------------------------------------------------------------


def totals(**changes: Any) -> EnrolmentTotals:
    fields: dict[str, Any] = {
        "machine": "sintra",
        "currency": "GTQ",
        "deposited_minor": 200_000,
        "pending_minor": 0,
        "paid_minor": 50_000,
        "reserved_minor": 0,
        "sats": 25_000,
        "last_payment_at": T,
    }
    return EnrolmentTotals(**{**fields, **changes})


def test_the_balance_has_the_documented_shape() -> None:
    assert lp_balance("ab" * 32, [totals()], T + 9) == {
        "v": 1,
        "type": "lp_balance",
        "updated_at": T + 9,
        "lp": "ab" * 32,
        "enrolments": [
            {
                "machine": "sintra",
                "currency": "GTQ",
                "deposited": "2000.00",
                "pending": "0.00",
                "paid": "500.00",
                "reserved": "0.00",
                "remaining": "1500.00",
                "sats": 25_000,
                "average_rate": "50",
                "last_payment_at": T,
            }
        ],
    }


def test_what_is_reserved_is_not_remaining() -> None:
    line = lp_balance("x", [totals(reserved_minor=30_001, pending_minor=7, currency="KWD")], T)["enrolments"][0]
    assert [line[key] for key in ("deposited", "paid", "reserved", "remaining", "pending")] == [
        "200.000", "50.000", "30.001", "119.999", "0.007",
    ]  # fmt: skip


def test_nothing_paid_is_null() -> None:
    line = lp_balance("x", [totals(paid_minor=0, sats=0, last_payment_at=None)], T)["enrolments"][0]
    assert (line["average_rate"], line["last_payment_at"]) == (None, None)
    assert average_rate(1, 0, "GTQ") is None


@pytest.mark.parametrize(
    ("sats", "minor", "currency", "rate"),
    [
        (25_000, 50_000, "GTQ", "50"),
        (25_001, 50_000, "GTQ", "50.002"),
        (1, 3, "JPY", "0.33333333"),
        (2, 3, "JPY", "0.66666667"),
        (617, 10_000, "JPY", "0.0617"),
        (0, 1, "GTQ", "0"),
        (123_456_789_123, 1, "JPY", "123456790000"),
        (1, 10**15, "JPY", "0.000000000000001"),
    ],
)
def test_the_average_rate_has_eight_digits(sats: int, minor: int, currency: str, rate: str) -> None:
    assert average_rate(sats, minor, currency) == rate


@given(st.integers(0, 21 * 10**14), st.integers(1, 10**15), st.sampled_from(["GTQ", "JPY", "KWD"]))
def test_the_average_rate_is_close_and_plain(sats: int, minor: int, currency: str) -> None:
    text = average_rate(sats, minor, currency)
    assert text is not None
    assert "E" not in text
    exact = Fraction(sats * {"GTQ": 100, "JPY": 1, "KWD": 1_000}[currency], minor)
    assert abs(Fraction(Decimal(text)) - exact) <= exact / 10**7


@pytest.mark.parametrize(
    ("sats", "minor", "cost"),
    [
        (75_000, 150_000, 200_000),
        (100_000, 212_500, 212_500),
        (1, 2, 200_000),
        (3, 1, 33_333),
        (3, 2, 66_667),
        (200_000, 1, 0),
        (200_000, 3, 2),
        (200_000, 5, 2),
        (0, 5, None),
        (5, 0, None),
    ],
)
def test_what_sats_cost_on_average(sats: int, minor: int, cost: int | None) -> None:
    """For 100,000 sats, half to even."""
    assert average_cost(sats, minor, 100_000) == cost


def test_a_balance_at_very_many_machines_fits_and_counts_the_rest() -> None:
    content = lp_balance("ab" * 32, [totals(machine=f"m{n}") for n in range(1_000)], T)
    assert len(content_text(content).encode()) <= MAX_CONTENT_BYTES
    assert 200 < len(content["enrolments"]) == 1_000 - content["more"]
    assert content["enrolments"][0]["machine"] == "m0"


@given(st.lists(st.text(max_size=64), max_size=8), st.integers(200, 1_500))
def test_any_balance_fits(machines: list[str], limit: int) -> None:
    content = lp_balance("ab" * 32, [totals(machine=name) for name in machines], T, limit=limit)
    assert len(content_text(content).encode()) <= limit
    assert len(content["enrolments"]) + content.get("more", 0) == len(machines)


# -- text and digest ---------------------------------------------------------------------------------------------------


def test_the_text_is_compact_ascii() -> None:
    assert content_text({"a": "ñ", "b": [1, None]}) == '{"a":"\\u00f1","b":[1,null]}'


def test_only_a_change_of_content_changes_the_digest() -> None:
    first = worklist(many(Bucket.ERRORED, 1), T)
    assert content_digest(first) == content_digest(worklist(many(Bucket.ERRORED, 1), T + 999))
    assert content_digest(first) != content_digest(worklist(many(Bucket.REJECTED, 1), T))
    assert content_digest(first) != content_digest(worklist(many(Bucket.ERRORED, 1), T, unlisted=1))
