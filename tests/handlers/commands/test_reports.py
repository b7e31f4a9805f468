"""`report` and `chart`: sums made by hand, and the journal's of the same time."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from handlers.commands.reports import month_of
from ledger.money import MSAT
from nwc.keys import npub_of
from storage.db import Tx
from tests.handlers.desk import ANA, ATM2, BEN, BOSS, EVE, NOW, SUPER
from tests.handlers.till import CASH_IN, Till, report
from tests.ledger.build import hash_of

DAY = 86_400
SEPTEMBER = 1_788_220_800
OCTOBER = SEPTEMBER + 30 * DAY


async def pay(till: Till, leg_id: int, fees_msat: int) -> None:
    await till.sent(leg_id, leg_id)
    await till.learn(leg_id, fees_msat=fees_msat)


@pytest.fixture
async def traded(owed: Till) -> Till:
    """September: S1, a cash-out of 2,000.00 GTQ, whose four payments cost 1.001 sats each; S2, another one for which no
    LP has fiat left. S3, a cash-in of 1,500.00 GTQ at another machine; what it owes stays open but for one failure."""
    for leg_id in (1, 2, 3, 4):
        await pay(owed, leg_id, 1_001)
    await owed.desk.cash_out(2, platform_fee_sats=3_000)  # P5 platform, P6 partner, P7 skipped
    await owed.desk.distribute()
    await owed.with_second_machine()
    said = {**CASH_IN, "wire_sats": 69_000, "principal_sats": 75_000, "fee_sats": 6_010, "fiat_amount": "1500.00"}
    await owed.receive(report(hash_of(99), **{**said, "wire_sats": 68_990}), atm=ATM2)
    await owed.prove(3)
    await owed.desk.distribute()
    await owed.desk.fail_leg(8)
    return owed


async def test_the_sums_of_a_month(traded: Till) -> None:
    found = await traded.desk.ask(BOSS, "report")
    assert found == {
        "machine": None,
        "since": SEPTEMBER,
        "until": NOW + 1,
        "cash_out": {
            "settlements": 2,
            "principal_sats": 200_000,
            "fiat": [{"currency": "GTQ", "amount": "4000.00"}],
        },
        "cash_in": {"settlements": 1, "principal_sats": 75_000, "fiat": [{"currency": "GTQ", "amount": "1500.00"}]},
        "fees": {"platform_sats": 3_000 + 3_000 + 2_250, "operator_sats": 5_000 + 5_000 + 3_750, "mismatch_sats": 10},
        "paid": {
            "lps_sats": 100_000,
            "lps_fiat": [{"currency": "GTQ", "amount": "2000.00"}],
            "partners_sats": 5_000,
            "platform_sats": 3_000,
            "customers_sats": 0,
        },
        "refunded_settlements": 0,
        "skipped_sats": 100_000,
        "routing_msat": 4_004,
        "profit_msat": 13_750_000 + 10_000 - 4_004,
        "open": {
            "lps": [{"currency": "GTQ", "remaining": "0.00", "reserved": "0.00"}],
            "payments": 4,
            "payments_sats": 3_000 + 5_000 + 2_250 + 3_750,
        },
    }


async def test_one_machine(traded: Till) -> None:
    sintra = await traded.desk.ask(BOSS, "report", machine="sintra")
    other = await traded.desk.ask(BOSS, "report", machine="ericeira")
    assert (sintra["machine"], sintra["cash_in"]["settlements"], sintra["fees"]["mismatch_sats"]) == ("sintra", 0, 0)
    assert (sintra["profit_msat"], sintra["skipped_sats"]) == (10_000_000 - 4_004, 100_000)
    assert (other["cash_out"]["settlements"], other["cash_in"]["principal_sats"]) == (0, 75_000)
    assert (other["routing_msat"], other["paid"]["lps_sats"], other["paid"]["lps_fiat"]) == (0, 0, [])
    assert other["open"] == {"lps": [], "payments": 2, "payments_sats": 6_000}


async def test_the_journal_of_the_same_time_says_the_same(traded: Till) -> None:
    """By another way: entry by entry. A month on both sides of the border has its own share of it."""
    traded.desk.now = OCTOBER - 1
    made = await traded.desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="800")
    await traded.desk.ask(BOSS, "deposit.confirm", deposit=made["id"])
    await traded.desk.cash_out(4, platform_fee_sats=3_000)  # P10 platform, P11 partner, P12 ana's, P13 skipped
    await traded.desk.distribute()
    await pay(traded, 10, 0)
    traded.desk.now = OCTOBER
    await pay(traded, 11, 77)
    await pay(traded, 12, 2_000)
    totals = []
    for since, until in ((SEPTEMBER, OCTOBER), (OCTOBER, OCTOBER + 31 * DAY)):
        found = await traded.desk.ask(BOSS, "report", since=since, until=until)
        assert _of_report(found) == await _of_journal(traded, since, until)
        totals.append(found)
    september, october = totals
    assert (september["cash_out"]["settlements"], september["paid"]["lps_sats"]) == (3, 100_000)
    assert (september["skipped_sats"], october["skipped_sats"]) == (100_000 + 60_000, 0)
    assert (october["cash_out"]["settlements"], october["paid"]["lps_sats"]) == (0, 40_000)
    assert october["paid"]["lps_fiat"] == [{"currency": "GTQ", "amount": "800.00"}]
    assert (october["routing_msat"], october["profit_msat"]) == (2_077, -2_077)


def _of_report(found: dict[str, Any]) -> dict[str, int]:
    def minor(amounts: list[dict[str, str]]) -> int:
        return sum(int(each["amount"].replace(".", "")) for each in amounts)

    fees, paid = found["fees"], found["paid"]
    sums = {
        "platform fee": fees["platform_sats"] * MSAT,
        "operator fee": fees["operator_sats"] * MSAT,
        "mismatch": fees["mismatch_sats"] * MSAT,
        "to platform": paid["platform_sats"] * MSAT,
        "to partners": paid["partners_sats"] * MSAT,
        "to LPs": paid["lps_sats"] * MSAT,
        "LPs' fiat": minor(paid["lps_fiat"]),
        "kept": found["skipped_sats"] * MSAT,
        "routing": found["routing_msat"],
        "cash": minor(found["cash_in"]["fiat"]) - minor(found["cash_out"]["fiat"]),
    }
    return {name: amount for name, amount in sums.items() if amount}


async def _of_journal(till: Till, since: int, until: int) -> dict[str, int]:
    """What the entries of that time did to the accounts."""
    names = {
        ("settlement.accepted", "liabilities:due:platform"): ("platform fee", -1),
        ("settlement.accepted", "liabilities:due:operator"): ("operator fee", -1),
        ("settlement.accepted", "income:mismatch"): ("mismatch", -1),
        ("settlement.accepted", "assets:cash"): ("cash", 1),
        ("leg.completed", "liabilities:payable:platform"): ("to platform", 1),
        ("leg.completed", "liabilities:payable:split"): ("to partners", 1),
        ("leg.completed", "liabilities:payable:lp"): ("to LPs", 1),
        ("leg.completed", "liabilities:lp"): ("LPs' fiat", 1),
        ("leg.completed", "expenses:routing"): ("routing", 1),
        ("legs.planned", "equity:kept"): ("kept", -1),
    }

    def work(tx: Tx) -> dict[str, int]:
        sums: Counter[str] = Counter()
        for row in tx.all(
            "SELECT j.kind, p.account, p.amount FROM journal j JOIN postings p ON p.entry_id = j.id"
            " WHERE j.at >= ? AND j.at < ?",
            (since, until),
        ):
            for (kind, account), (name, sign) in names.items():
                if row["kind"] == kind and (row["account"] + ":").startswith(account + ":"):
                    sums[name] += sign * row["amount"]
        return {name: amount for name, amount in sums.items() if amount}

    return await till.desk.tx(work)


async def test_the_report_in_words(traded: Till) -> None:
    text = await traded.desk.told(BOSS, "report")
    assert text.splitlines() == [
        "All machines, 2026-09-01 to 2026-09-21 14:13 UTC:",
        "Cash-out: 2, 200,000 sats (Q4,000.00)",
        "Cash-in: 1, 75,000 sats (Q1,500.00)",
        "Fees: platform 8,250 sats, operator 13,750 sats, mismatch 10 sats",
        "Paid to LPs: 100,000 sats (Q2,000.00)",
        "Paid to partners: 5,000 sats, to the platform: 3,000 sats",
        "Stayed in the wallet: 100,000 sats",
        "Routing cost: 4.004 sats",
        "Profit: 13,755.996 sats (operator fee and mismatch, less routing)",
        "Now: LPs have 0 left, 4 payments open (14,000 sats).",
        "Other times: report since=2026-01-01 until=2026-02-01",
    ]
    assert (await traded.desk.told(BOSS, "report sintra 2026-08-01 2026-09-01")).startswith(
        "sintra, 2026-08-01 to 2026-08-31 UTC:\nCash-out: 0, 0 sats\n"
    )


async def test_which_time_is_meant(traded: Till) -> None:
    """With nothing said, this month; up to a border, the month before it."""
    assert month_of(NOW) == month_of(SEPTEMBER) == SEPTEMBER == month_of(OCTOBER - 1)
    found = await traded.desk.ask(BOSS, "report", until="2026-09-01")
    assert (found["since"], found["until"], found["cash_out"]["settlements"]) == (SEPTEMBER - 31 * DAY, SEPTEMBER, 0)
    everything = await traded.desk.ask(BOSS, "report", since=0)
    assert everything["cash_out"]["settlements"] == 2
    assert (await traded.desk.ask(BOSS, "report", since=NOW))["cash_out"]["settlements"] == 2
    assert (await traded.desk.ask(BOSS, "report", since=NOW, until=NOW + 1))["cash_out"]["settlements"] == 2
    assert (await traded.desk.ask(BOSS, "report", since=NOW - 1, until=NOW))["cash_out"]["settlements"] == 0
    stretches: list[dict[str, Any]] = [
        {"since": NOW, "until": NOW},
        {"since": NOW + 1},
        {"since": "2026-10-01", "until": "2026-09-01"},
    ]
    for stretch in stretches:
        error = await traded.desk.refused(BOSS, "report", **stretch)
        assert (error["code"], error["field"]) == ("bad_request", "until")
    assert (await traded.desk.refused(BOSS, "report", machine="sintr"))["code"] == "not_found"


async def test_what_is_not_proven_is_in_no_report(till: Till) -> None:
    await till.receive(report(hash_of(1)))
    assert (await till.desk.ask(BOSS, "report"))["cash_out"]["settlements"] == 0
    till.desk.now = OCTOBER
    await till.prove(1)
    assert (await till.desk.ask(BOSS, "report", until=OCTOBER))["cash_out"]["settlements"] == 0
    assert (await till.desk.ask(BOSS, "report"))["cash_out"]["settlements"] == 1


async def test_what_was_given_back_is_no_income(owed: Till) -> None:
    """The fees of a refunded transaction were never earned; what paying it back cost was spent."""
    answer = await owed.desk.ask(
        BOSS, "settlement.refund", settlement="S1", target="customer@example.com", note="no cash came", confirm=True
    )
    (leg,) = [each for each in answer["legs"] if each["type"] == "refund"]
    await pay(owed, int(leg["id"][1:]), 2_500)
    found = await owed.desk.ask(BOSS, "report")
    assert found["cash_out"] == {"settlements": 0, "principal_sats": 0, "fiat": []}
    assert found["fees"] == {"platform_sats": 0, "operator_sats": 0, "mismatch_sats": 0}
    assert (found["refunded_settlements"], found["paid"]["customers_sats"]) == (1, 108_000)
    assert (found["profit_msat"], found["open"]["payments"]) == (-2_500, 0)
    text = await owed.desk.told(BOSS, "report")
    assert "Refunded: 1, 108,000 sats paid back" in text
    assert "Profit: -2.500 sats" in text


async def test_what_was_scaled_counts_as_it_is_now(owed: Till) -> None:
    await owed.desk.ask(BOSS, "settlement.partial", settlement="S1", fraction="0.4", note="jammed", confirm=True)
    await owed.desk.distribute()
    found = await owed.desk.ask(BOSS, "report")
    assert found["cash_out"] == {
        "settlements": 1,
        "principal_sats": 40_000,
        "fiat": [{"currency": "GTQ", "amount": "800.00"}],
    }
    assert found["fees"] == {"platform_sats": 1_200, "operator_sats": 2_000, "mismatch_sats": 0}
    assert found["open"]["payments_sats"] == 43_200


@pytest.mark.parametrize("sender", [ANA, SUPER])
async def test_only_operators_have_reports(till: Till, sender: str) -> None:
    assert (await till.desk.refused(sender, "report"))["code"] == "forbidden"


# --- chart ------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def years(traded: Till) -> Till:
    """Ana got 75,000 sats for 1,500.00 GTQ in September and, at 40 sats, 25,000 for 625.00 in November; Ben 25,000."""
    traded.desk.now = OCTOBER + 40 * DAY  # Tuesday, 10 November
    made = await traded.desk.ask(BOSS, "deposit.add", machine="sintra", lp="ana", amount="625")
    await traded.desk.ask(BOSS, "deposit.confirm", deposit=made["id"])
    await traded.receive(
        report(hash_of(200), wire_sats=27_000, principal_sats=25_000, fee_sats=2_000, fiat_amount="625.00",
               exchange_rate="40", created_at=traded.now)
    )  # fmt: skip
    await traded.prove(4)
    await traded.desk.distribute()
    legs = (await traded.desk.ask(BOSS, "payment.list", settlement="S4", type="dca"))["items"]
    await pay(traded, int(legs[0]["id"][1:]), 0)
    return traded


async def test_what_an_lp_received_and_what_it_cost(years: Till) -> None:
    """75,000 sats for 1,500.00: 50 for a quetzal; with 25,000 more for 625.00 it is 100,000 for 2,125.00."""
    found = await years.desk.ask(ANA, "chart")
    september = {"currency": "GTQ", "sats": 75_000, "amount": "1500.00", "rate": "50", "cost": "2000.00"}
    november = {"currency": "GTQ", "sats": 25_000, "amount": "625.00", "rate": "40", "cost": "2500.00"}
    both = {"currency": "GTQ", "sats": 100_000, "amount": "2125.00", "rate": "47.058824", "cost": "2125.00"}
    assert found == {
        "lp": "ana",
        "period": "month",
        "items": [
            {"since": SEPTEMBER, "sats": 75_000, "fiat": [september]},
            {"since": OCTOBER, "sats": 0, "fiat": []},
            {"since": OCTOBER + 31 * DAY, "sats": 25_000, "fiat": [november]},
        ],
        "total": {"sats": 100_000, "fiat": [both]},
    }
    assert (await years.desk.told(ANA, "chart")).splitlines() == [
        "ana: sats received by month",
        "2026-09 ████████ 75,000 sats, 50 per GTQ, Q2,000.00 for 100,000",
        "2026-10 0 sats",
        "2026-11 ██▋ 25,000 sats, 40 per GTQ, Q2,500.00 for 100,000",
        "In all: 100,000 sats, 47.058824 per GTQ, Q2,125.00 for 100,000",
        "Also: chart day, chart week",
    ]


async def test_weeks_begin_on_monday_and_only_so_many_periods_are_shown(years: Till) -> None:
    weeks = (await years.desk.ask(ANA, "chart", period="week"))["items"]
    monday = SEPTEMBER + 20 * DAY
    assert [(week["since"] - monday) // (7 * DAY) for week in weeks] == list(range(8))
    assert [week["sats"] for week in weeks] == [75_000, 0, 0, 0, 0, 0, 0, 25_000]
    days = await years.desk.ask(ANA, "chart", period="day")
    assert [day["sats"] for day in days["items"]] == [75_000, *[0] * 49, 25_000]
    years.advance(20 * DAY)
    late = await years.desk.ask(ANA, "chart", period="day")
    assert [day["since"] for day in late["items"]][:: len(late["items"]) - 1] == [
        OCTOBER + 40 * DAY,
        OCTOBER + 60 * DAY,
    ]
    assert late["total"] == days["total"]
    text = (await years.desk.told(ANA, "chart day")).splitlines()
    assert len(text) == 12
    assert text[9].startswith("2026-11-30 0 sats")


async def test_an_operator_sees_all_lps_or_one(years: Till) -> None:
    everybody = await years.desk.ask(BOSS, "chart")
    assert (everybody["lp"], [each["sats"] for each in everybody["items"]]) == (None, [100_000, 0, 25_000])
    assert (await years.desk.ask(BOSS, "chart", lp="ben"))["total"]["sats"] == 25_000
    assert (await years.desk.told(BOSS, "chart month ben")).startswith("ben: sats received by month\n2026-09 ████████ ")
    assert (await years.desk.told(BOSS, "chart")).startswith("All LPs: sats received by month\n")
    assert (await years.desk.refused(BOSS, "chart", lp="eve"))["code"] == "not_found"


async def test_an_lp_learns_nothing_of_others(till: Till) -> None:
    """Not even whether there is such a one."""
    said = [await till.desk.refused(ANA, "chart", lp=who) for who in ("ben", "eve", BEN, EVE, npub_of(BEN))]
    assert {(each["code"], each["message"]) for each in said} == {("forbidden", said[0]["message"])}
    assert (await till.desk.ask(ANA, "chart", lp="Ana"))["items"] == []
    assert "No sats were received yet" in await till.desk.told(ANA, "chart")


async def test_currencies_are_kept_apart(years: Till) -> None:
    """Ana at a machine of another country."""

    def work(tx: Tx) -> None:
        tx.run("UPDATE machines SET fiat = 'EUR' WHERE name = 'ericeira'")

    await years.desk.tx(work)
    await years.desk.ask(BOSS, "lp.add", machine="ericeira", npub=ANA)
    made = await years.desk.ask(BOSS, "deposit.add", machine="ericeira", lp="ana", amount="10")
    await years.desk.ask(BOSS, "deposit.confirm", deposit=made["id"])
    said = {"wire_sats": 10_800, "principal_sats": 10_000, "fee_sats": 800, "fiat_amount": "10.00", "currency": "EUR"}
    await years.receive(report(hash_of(300), **said, exchange_rate="1000"), atm=ATM2)
    await years.prove(5)
    await years.desk.distribute()
    leg = (await years.desk.ask(BOSS, "payment.list", settlement="S5", type="dca"))["items"][0]
    await pay(years, int(leg["id"][1:]), 0)
    found = await years.desk.ask(ANA, "chart")
    assert [(each["currency"], each["cost"]) for each in found["items"][-1]["fiat"]] == [
        ("EUR", "100.00"),
        ("GTQ", "2500.00"),
    ]
    assert "35,000 sats, 1000 per EUR, €100.00 for 100,000, 40 per GTQ, Q2,500.00 for 100,000" in (
        await years.desk.told(ANA, "chart")
    )
