"""The Lightning network: msat move once per hash, nothing is lost, and a killed process finds its books again."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bot.demo.books import Books
from bot.demo.lightning import LightningError, LightningNetwork, Odd, Route


class At:
    def __init__(self, seconds: int = 1_790_000_000) -> None:
        self.seconds = seconds

    def now(self) -> int:
        return self.seconds


def network(path: Path | None = None, **options: int) -> LightningNetwork:
    made = LightningNetwork(At(), log_path=path, fee_base_msat=options.get("fee_base_msat", 0))
    made.add_account("payer", 10_000)
    made.add_account("payee")
    return made


async def test_a_payment_moves_msat_once() -> None:
    lightning = network()
    invoice = lightning.make_invoice("payee", 4000)

    payment = await lightning.pay("payer", invoice.bolt11.upper(), metadata={"leg": "P1"})
    with pytest.raises(LightningError, match="already paid"):
        await lightning.pay("payer", invoice.bolt11)

    assert hashlib.sha256(bytes.fromhex(payment.invoice.preimage)).hexdigest() == invoice.payment_hash
    assert {name: account.balance_msat for name, account in lightning.books.accounts.items()} == {
        "payer": 6000,
        "payee": 4000,
    }
    moved = lightning.books.movements[-1]
    assert (moved.kind, moved.payer, moved.payee, moved.amount_msat) == ("paid", "payer", "payee", 4000)
    assert moved.metadata == {"leg": "P1"}
    assert lightning.books.audit() == []


@pytest.mark.parametrize(
    ("amount_msat", "given_msat", "code"),
    [
        (4000, 4001, "bad_amount"),
        (None, None, "bad_amount"),
        (None, 0, "bad_amount"),
        (10_001, None, "insufficient_balance"),
    ],
)
async def test_what_is_not_paid_leaves_no_trace(amount_msat: int | None, given_msat: int | None, code: str) -> None:
    lightning = network()
    invoice = lightning.make_invoice("payee", amount_msat)

    with pytest.raises(LightningError) as refused:
        await lightning.pay("payer", invoice.bolt11, amount_msat=given_msat)

    assert refused.value.code == code
    assert lightning.books.payments == []


async def test_an_expired_invoice_is_paid_only_by_who_insists() -> None:
    lightning = network()
    invoice = lightning.make_invoice("payee", 1000, odd=Odd(created_at=1_789_000_000))

    with pytest.raises(LightningError, match="expired"):
        lightning.start("payer", invoice.bolt11)
    lightning.settle(lightning.start("payer", invoice.bolt11, even_expired=True))

    assert lightning.books.accounts["payee"].balance_msat == 1000


async def test_a_held_payment_keeps_its_msat_reserved_until_it_is_released() -> None:
    lightning = network(fee_base_msat=10)
    lightning.routes["payee"] = Route(held=True)
    invoice, other = lightning.make_invoice("payee", 6000), lightning.make_invoice("payee", 6000)

    with pytest.raises(LightningError) as waiting:
        await lightning.pay("payer", invoice.bolt11, timeout_seconds=0.05)
    assert waiting.value.code == "in_flight"
    assert lightning.books.accounts["payer"].spendable_msat == 3990
    with pytest.raises(LightningError, match="already pending"):
        lightning.start("payer", invoice.bolt11)
    with pytest.raises(LightningError, match="does not cover"):
        lightning.start("payer", other.bolt11)

    assert [payment.state for payment in lightning.release("payee")] == ["settled"]
    assert lightning.books.accounts["payer"].balance_msat == lightning.books.accounts["payer"].spendable_msat == 3990
    assert lightning.books.audit() == []


async def test_a_failed_payment_frees_its_msat_and_may_be_tried_again() -> None:
    lightning = network()
    lightning.routes["payee"] = Route(failures_left=1, reason="no liquidity")
    invoice = lightning.make_invoice("payee", 10_000)

    with pytest.raises(LightningError, match="no liquidity"):
        await lightning.pay("payer", invoice.bolt11)
    await lightning.pay("payer", invoice.bolt11)

    assert [payment.state for payment in lightning.books.payments_of(invoice.payment_hash)] == ["failed", "settled"]
    assert lightning.books.audit() == []


async def test_one_invoice_is_paid_by_one_payer_alone() -> None:
    lightning = network()
    lightning.add_account("rival", 10_000)
    invoice = lightning.make_invoice("payee", 1000)

    ends = await asyncio.gather(
        lightning.pay("payer", invoice.bolt11), lightning.pay("rival", invoice.bolt11), return_exceptions=True
    )

    assert len([end for end in ends if isinstance(end, LightningError)]) == 1
    assert lightning.books.accounts["payee"].balance_msat == 1000


async def test_the_books_are_found_again_and_what_was_under_way_goes_on(tmp_path: Path) -> None:
    first = network(tmp_path / "log")
    first.routes["payee"] = Route(held=True)
    paid, held = first.make_invoice("payer", 100), first.make_invoice("payee", 2000)
    first.fund("payee", 500)
    await first.pay("payee", paid.bolt11)
    payment = first.start("payer", held.bolt11, metadata={"leg": "P2"})
    first.send(payment)
    await first.close()
    with (tmp_path / "log").open("ab") as log:
        log.write(b'{"seq":99,"kind":"funded","acc')

    again = LightningNetwork(At(), log_path=tmp_path / "log")
    again.resume()
    assert await again.wait(again.books.payments[-1], 2) == "settled"
    later = again.make_invoice("payee", 1)

    assert again.node_id("payee") == first.node_id("payee")
    assert again.books.accounts["payee"].balance_msat == 2400
    assert again.books.payments[-1].metadata == {"leg": "P2"}
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o600
    await again.close()
    reread = Books(tmp_path / "log")
    assert reread.invoice(later.payment_hash) == later
    assert reread.audit() == []


def test_a_killed_process_loses_no_record(tmp_path: Path) -> None:
    program = (
        "import asyncio, sys\n"
        "from pathlib import Path\n"
        "from bot.clock import SystemClock\n"
        "from bot.demo.lightning import LightningNetwork\n"
        "async def main():\n"
        "    n = LightningNetwork(SystemClock(), log_path=Path(sys.argv[1]))\n"
        "    n.add_account('a', 10**12); n.add_account('b')\n"
        "    while True:\n"
        "        await n.pay('a', n.make_invoice('b', 1).bolt11)\n"
        "        print(n.books.accounts['b'].balance_msat, flush=True)\n"
        "asyncio.run(main())\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "log")], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    told = [process.stdout.readline() for _ in range(20)]
    os.kill(process.pid, signal.SIGKILL)
    told += process.stdout.readlines()
    process.wait()
    process.stdout.close()

    books = Books(tmp_path / "log")
    whole = [int(line) for line in told if line.endswith("\n")]
    assert books.accounts["b"].balance_msat >= whole[-1] >= 20
    assert books.audit() == []


async def test_the_audit_sees_what_is_wrong() -> None:
    lightning = network()
    await lightning.pay("payer", lightning.make_invoice("payee", 1000).bolt11)

    lightning.books.accounts["payee"].balance_msat += 1
    lightning.books.movements.append(lightning.books.movements[-1])

    problems = lightning.books.audit()
    assert any("was paid twice" in problem for problem in problems)
    assert any("payee holds 1001 msat" in problem for problem in problems)


async def test_whatever_happens_the_sum_stays_the_same() -> None:
    chance = random.Random(7)
    lightning = network(fee_base_msat=3)
    names = [f"account{number}" for number in range(5)]
    for name in names:
        lightning.add_account(name, 50_000)
    invoices = [lightning.make_invoice(chance.choice(names), chance.randrange(1, 20_000)) for _ in range(60)]
    for _ in range(300):
        pending = [payment for payment in lightning.books.payments if payment.state == "pending"]
        match chance.choice(("start", "start", "settle", "fail")):
            case "start":
                try:
                    lightning.start(chance.choice(names), chance.choice(invoices).bolt11)
                except LightningError:
                    continue
            case "settle" if pending:
                lightning.settle(chance.choice(pending))
            case "fail" if pending:
                lightning.fail(chance.choice(pending), "chance")
        fees = sum(movement.fee_msat for movement in lightning.books.movements)
        held = sum(account.balance_msat for account in lightning.books.accounts.values())
        assert held + fees == 5 * 50_000 + 10_000
        assert lightning.books.audit() == []
    assert len({m.payment_hash for m in lightning.books.movements if m.kind == "paid"}) > 20
