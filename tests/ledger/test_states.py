"""The tables of states, and that the database holds the very same ones."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from enum import StrEnum
from itertools import chain, combinations
from pathlib import Path

import pytest

import storage
from ledger.states import (
    ATTEMPT_CHANGES,
    COUNTED_LEG,
    DEPOSIT_CHANGES,
    LEG_CHANGES,
    LIVE_ATTEMPT,
    OPEN_LEG,
    SETTLEMENT_CHANGES,
    UNRESOLVED_ATTEMPT,
    AttemptState,
    DepositStatus,
    EvidenceClass,
    LegStatus,
    LegType,
    SettlementStatus,
    settlement_after,
)

SQL = "\n".join(
    path.read_text("utf-8") for path in sorted((Path(storage.__file__).parent / "migrations").glob("*.sql"))
)


def changes_in_sql(table: str) -> set[str]:
    """The allowed pairs of the last trigger that guards the changes of `table`."""
    triggers = re.findall(rf"CREATE TRIGGER {table}_changes\b.*?END;", SQL, re.DOTALL)
    return set(re.findall(r"'(\w+>\w+)'", triggers[-1]))


@pytest.mark.parametrize(
    ("table", "changes"),
    [
        ("settlements", SETTLEMENT_CHANGES),
        ("legs", LEG_CHANGES),
        ("attempts", ATTEMPT_CHANGES),
        ("deposits", DEPOSIT_CHANGES),
    ],
)
def test_the_database_allows_the_same_changes(table: str, changes: AbstractSet[tuple[StrEnum, StrEnum]]) -> None:
    assert changes_in_sql(table) == {f"{before}>{after}" for before, after in changes}


@pytest.mark.parametrize(
    ("table", "column", "states"),
    [
        ("settlements", "status", SettlementStatus),
        ("legs", "status", LegStatus),
        ("legs", "type", LegType),
        ("attempts", "state", AttemptState),
        ("deposits", "status", DepositStatus),
        ("evidence", "class", EvidenceClass),
    ],
)
def test_the_database_knows_the_same_words(table: str, column: str, states: type[StrEnum]) -> None:
    created = re.search(rf"CREATE TABLE {table} \(.*?\) STRICT", SQL, re.DOTALL)
    assert created
    check = re.search(rf"CHECK \({column} IN \((.*?)\)\)", created[0], re.DOTALL)
    assert check
    assert set(re.findall(r"'(\w+)'", check[1])) == {state.value for state in states}


def test_live_attempts_are_those_of_the_unique_index() -> None:
    index = re.search(r"UNIQUE INDEX attempts_one_live ON attempts \(leg_id\) WHERE state IN \((.*?)\)", SQL)
    assert index
    assert set(re.findall(r"'(\w+)'", index[1])) == {state.value for state in LIVE_ATTEMPT}


def test_no_paid_leg_and_no_settled_attempt_ever_goes_back() -> None:
    assert {after for before, after in LEG_CHANGES if before is LegStatus.COMPLETED} == {LegStatus.REFUNDED}
    assert not {pair for pair in ATTEMPT_CHANGES if pair[0] is AttemptState.SETTLED}
    assert not {
        pair for pair in SETTLEMENT_CHANGES if pair[0] in (SettlementStatus.REJECTED, SettlementStatus.REFUNDED)
    }
    assert not {pair for pair in DEPOSIT_CHANGES if pair[0] is not DepositStatus.PENDING}


def test_only_what_was_never_published_is_dropped_and_only_what_was_is_released() -> None:
    assert {before for before, after in ATTEMPT_CHANGES if after is AttemptState.DROPPED} == {AttemptState.READY}
    assert {before for before, after in ATTEMPT_CHANGES if after is AttemptState.RELEASED} == UNRESOLVED_ATTEMPT
    # What another run of the bot sent, after the books were copied.
    assert {after for before, after in ATTEMPT_CHANGES if before is AttemptState.DROPPED} == {AttemptState.SENT}
    assert UNRESOLVED_ATTEMPT < LIVE_ATTEMPT


def test_a_settlement_follows_from_its_legs() -> None:
    """The truth table, for every set of leg states."""
    for found in chain.from_iterable(combinations(LegStatus, count) for count in range(len(LegStatus) + 1)):
        if LegStatus.PENDING in found:
            expected = SettlementStatus.PROCESSING
        elif LegStatus.FAILED in found:
            expected = SettlementStatus.ERRORED
        else:
            expected = SettlementStatus.PROCESSED
        assert settlement_after(iter(found)) is expected


def test_counted_legs_are_all_but_voided_and_refunded() -> None:
    assert {LegStatus.VOIDED, LegStatus.REFUNDED} == set(LegStatus) - COUNTED_LEG
    assert {LegStatus.PENDING} == OPEN_LEG
