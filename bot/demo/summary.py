"""The end of a run as numbers: a table on a terminal, plain lines otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from bot.demo.audit import Books, leg_payee
from bot.demo.script import CURRENCY


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to. Sats, but for `routing_fees_msat`. `payees` in the order of the script."""

    settlements: int
    legs: int
    sats_in: int
    """Customers paid it for cash."""
    sats_out: int
    """Payees, and customers for cash, got it."""
    wallet_before_msat: int
    wallet_after_msat: int
    routing_fees_msat: int
    platform_fee_sats: int
    operator_fee_sats: int
    payees: Sequence[tuple[str, int, int]]
    """Name, number of payments, sats."""
    cash: Sequence[tuple[str, int, int, int, int]]
    """Machine; what came out of its bays, was put in again, is left in them, and is in its box."""


def summarize(books: Books) -> Summary:
    names = {word.lp: word.name for word in books.lps}
    paid: dict[str, list[int]] = {}
    completed = [leg for leg in books.legs if leg["status"] == "completed"]
    for leg in sorted(completed, key=lambda leg: int(leg["id"][1:])):
        paid.setdefault(leg_payee(leg, names), []).append(leg["amount_sats"])
    return Summary(
        settlements=len(books.settlements),
        legs=len(completed),
        sats_in=sum(each.amount_msat for each in books.moved if each.incoming) // 1_000,
        sats_out=sum(each.amount_msat for each in books.moved if not each.incoming) // 1_000,
        wallet_before_msat=books.funds_before_msat,
        wallet_after_msat=books.funds_after_msat,
        routing_fees_msat=sum(each.fee_msat for each in books.moved),
        platform_fee_sats=sum(each["platform_fee_sats"] for each in books.settlements),
        operator_fee_sats=sum(each["operator_fee_sats"] for each in books.settlements),
        payees=[(name, len(amounts), sum(amounts)) for name, amounts in paid.items()],
        cash=[(word.machine, word.dispensed, word.refilled, word.left, word.box) for word in books.cash],
    )


def show(summary: Summary, wrong: Sequence[str], console: Console) -> None:
    """Prints it. `wrong`: what does not agree."""
    numbers = (
        ("settlements", f"{summary.settlements:,}"),
        ("legs", f"{summary.legs:,}"),
        ("sats in", f"{summary.sats_in:,} from customers who bought cash"),
        ("sats out", f"{summary.sats_out:,} to payees and to customers who sold cash"),
        (
            "wallet",
            f"{summary.wallet_before_msat // 1_000:,} sats before, {summary.wallet_after_msat // 1_000:,} after",
        ),
        ("routing fees", f"{summary.routing_fees_msat:,} msat"),
        ("platform fee", f"{summary.platform_fee_sats:,} sats"),
        ("operator fee", f"{summary.operator_fee_sats:,} sats"),
    )
    if console.is_terminal:
        table = Table("", "", title="Summary", title_justify="left", show_header=False)
        for name, value in numbers:
            table.add_row(name, value, style="bold" if name in ("settlements", "legs") else "")
        console.print(table)
        payees = Table("paid to", "payments", "sats", title="Who got what", title_justify="left")
        for column in payees.columns[1:]:
            column.justify = "right"
        for name, payments, amount in summary.payees:
            payees.add_row(name, f"{payments:,}", f"{amount:,}")
        console.print(payees)
        cash = Table(f"cash {CURRENCY}", "dispensed", "refilled", "left", "box", title="Cash", title_justify="left")
        for column in cash.columns[1:]:
            column.justify = "right"
        for name, *amounts in summary.cash:
            cash.add_row(name, *(f"{amount:,}" for amount in amounts))
        console.print(cash)
    else:
        console.print("Summary")
        for name, value in numbers:
            console.print(f"  {name}: {value}")
        for name, payments, amount in summary.payees:
            console.print(f"  paid to {name}: {amount:,} sats in {payments} payments")
        for name, dispensed, refilled, left, in_box in summary.cash:
            console.print(
                f"  cash in {name}: {dispensed:,} {CURRENCY} dispensed, {refilled:,} refilled, {left:,} left, "
                f"{in_box:,} in the box"
            )
    show_verdict(wrong, console)


def show_verdict(wrong: Sequence[str], console: Console) -> None:
    if not wrong:
        console.print("Every book balances.", style="bold green")
        return
    console.print("The books do not balance:", style="bold red")
    for difference in wrong:
        console.print(f"  {difference}", markup=False)
