"""Options that can't work together are refused with a sentence that says what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bot.demo.main import run
from bot.demo.options import DemoOptions
from bot.demo.plan import Plan, Unusable, check

URI = f"nostr+walletconnect://{'a1' * 32}?relay=wss%3A%2F%2Frelay.example.com&secret={'b2' * 32}"
OTHER = f"nostr+walletconnect://{'c3' * 32}?relay=wss%3A%2F%2Frelay.example.com&secret={'d4' * 32}"
OUTSIDE = DemoOptions(nwc="env:WALLET", lp=("ana@example.com",), platform="fees@example.com", network="mainnet")


def planned(options: DemoOptions, **environ: str) -> Plan:
    return check(options, base=Path("/nowhere"), environ={"WALLET": URI, "CUSTOMER": OTHER, **environ})


def test_without_options_everything_is_the_demos_own() -> None:
    plan = planned(DemoOptions())
    assert (plan.wallet, plan.relay, plan.network, len(plan.sales)) == (None, None, "regtest", 12)
    assert plan.lp_names == ("ana", "beto", "carla", "diego", "elena")
    assert plan.spare
    assert not planned(DemoOptions(once=True)).spare
    assert plan.pause_seconds == 4 * planned(DemoOptions(speed=4.0)).pause_seconds


def test_an_outside_wallet_without_a_customer_sells_cash_only() -> None:
    plan = planned(OUTSIDE)
    assert plan.wallet is not None
    assert not plan.spare
    assert plan.wallet.customer is None
    assert plan.lp_names == ("ana",)
    assert all(sale.cash_out for sale in plan.sales)
    assert plan.sales[0].principal_sats == 1_000
    with_customer = planned(replace(OUTSIDE, customer_nwc="env:CUSTOMER"))
    assert not all(sale.cash_out for sale in with_customer.sales)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (DemoOptions(transactions=-1), "--transactions must be"),
        (DemoOptions(transactions=10_001), "--transactions must be"),
        (DemoOptions(speed=0), "--speed must be"),
        (DemoOptions(speed=float("nan")), "--speed must be"),
        (DemoOptions(port=70_000), "--port must be"),
        (DemoOptions(network="moon"), "--network must be one of mainnet"),
        (DemoOptions(relay="https://relay.example.com"), "--relay: a relay address starts with wss://"),
        (DemoOptions(relay="wss://relay.example.com", port=7_000), "leave it out with --relay"),
        (DemoOptions(lp=("ana@example.com",)), "--lp needs --nwc"),
        (DemoOptions(platform="fees@example.com"), "--platform needs --nwc"),
        (DemoOptions(customer_nwc="env:CUSTOMER"), "--customer-nwc needs --nwc"),
        (DemoOptions(network="mainnet"), "--network needs --nwc"),
        (replace(OUTSIDE, lp=()), "--nwc needs --lp ADDRESS"),
        (replace(OUTSIDE, platform=None), "--nwc needs --platform ADDRESS"),
        (replace(OUTSIDE, lp=("ana@example.com",) * 21), "at most"),
        (replace(OUTSIDE, nwc="env:NOTHING"), "--nwc: the environment variable NOTHING is not set"),
        (replace(OUTSIDE, nwc=URI), "--nwc: the secret itself does not belong"),
        (replace(OUTSIDE, nwc="file:wallet"), "--nwc: there is no file /nowhere/wallet"),
        (replace(OUTSIDE, nwc="env:TEXT"), "--nwc: env:TEXT: a wallet connection starts with"),
        (replace(OUTSIDE, customer_nwc="env:WALLET"), "the customer needs another one"),
        (replace(OUTSIDE, lp=("nobody",)), "--lp: this is no target"),
        (replace(OUTSIDE, lp=(OTHER,)), "--lp must be a Lightning address"),
        (replace(OUTSIDE, platform="ana@127.0.0.1:8080"), "--platform: "),
    ],
)
def test_what_can_not_work_is_refused(options: DemoOptions, words: str) -> None:
    with pytest.raises(Unusable) as refused:
        planned(options, TEXT="hello")
    assert words in str(refused.value)
    assert "b2b2" not in str(refused.value)
    assert "d4d4" not in str(refused.value)


def test_a_loopback_payee_is_fine_where_coins_are_not_real() -> None:
    local = replace(OUTSIDE, lp=("ana@127.0.0.1:8080",), platform="fees@127.0.0.1:8080", network="regtest")
    assert planned(local).network == "regtest"


def test_the_exit_code_is_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(DemoOptions(lp=("ana@example.com",))) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "--lp needs --nwc" in shown.err
