"""The live view: the scene drawn on a terminal, a few times a second."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

import segno
from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from bot.demo.scene import Scene, notes, sats
from bot.demo.script import CURRENCY, OPERATOR_PERCENT, PLATFORM_PERCENT

FRAMES_PER_SECOND: Final = 8
_NARROW: Final = 130
_CUSTOMERS_WIDTH: Final = 75
_NAME_WIDTH: Final = len("sells cash")
_SHORT: Final = 32
_TINY: Final = 22
_PADDING: Final = (0, 1, 0, 0)
_ANSWER_LINES: Final = 3
_STATUS_STYLES: Final = {"processed": "green", "errored": "bold red", "rejected": "bold red", "processing": "yellow"}


class _Latest:
    """A table with as many of its newest rows as there is room for."""

    def __init__(self, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[RenderableType]]) -> None:
        """Columns: title and justification."""
        self._columns, self._rows = columns, rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = options.height or len(self._rows) + 2
        titled = any(title for title, _ in self._columns)
        room = max(1, height - (1 if titled else 0))
        table = Table(box=None, expand=True, show_header=titled, header_style="dim", pad_edge=False, padding=_PADDING)
        last = len(self._columns) - 1
        for index, (title, justify) in enumerate(self._columns):
            ratio = 1 if index == last else None
            table.add_column(title, justify=justify, no_wrap=True, overflow="ellipsis", ratio=ratio)  # type: ignore[arg-type]
        for row in self._rows[-room:]:
            table.add_row(*row)
        yield table


class _Conversation:
    """The newest messages, cut to the room there is."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        lines: list[Text] = []
        for talk in self._scene.talk:
            if talk.asked:
                lines.append(Text(f"{talk.who}: {talk.asked}", style="bold"))
            said = talk.answer.strip().splitlines()[:_ANSWER_LINES]
            prefix = "bot: " if talk.asked else f"bot to {talk.who}: "
            lines += [Text((prefix if not index else "     ") + line) for index, line in enumerate(said)]
        room = options.height or 20
        for line in lines[-room:]:
            line.no_wrap, line.overflow = True, "ellipsis"
            yield line


def draw(scene: Scene, *, width: int, height: int) -> RenderableType:
    """The whole screen for the scene as it is now."""
    short = height < _SHORT or scene.invoice is not None
    tiny = height < _TINY or scene.invoice is not None
    body = _body(scene, narrow=width < _NARROW, short=short) if scene.invoice is None else Layout(_Bill(scene.invoice))
    root = Layout()
    root.split_column(
        _header(scene, width=width, short=short, tiny=tiny),
        body,
        Layout(_now(scene), size=3),
    )
    return root


def _header(scene: Scene, *, width: int, short: bool, tiny: bool) -> Layout:
    """What this is and how to join. A short terminal has room for addresses and keys only, a tiny one for addresses."""
    legend = Text.assemble(
        "An ATM sells and buys cash for Lightning sats. The ",
        ("bot", "bold"),
        " hears of every customer over a Nostr relay, asks the wallet for proof, and pays everybody: ",
        (f"platform {PLATFORM_PERCENT} %", "cyan"),
        f", two partners {OPERATOR_PERCENT} %, the rest to the ",
        ("LPs", "cyan"),
        ", liquidity providers, who filled the ATM with cash.",
    )
    how = "with any Nostr client: add the relay, send the bot a direct message: "
    keys = () if tiny else tuple(Text.assemble((_label(name), "dim"), text) for name, text in scene.guest_lines)
    join = () if short and keys else (Text.assemble((_label("Join"), "dim"), how, ("help", "bold")),)
    lines = [
        Text.assemble((_label("Relay"), "dim"), (scene.relay or "…", "bold")),
        Text.assemble((_label("Bot"), "dim"), (scene.bot_npub or "…", "bold")),
        *join,
        *keys,
    ]
    for line in lines:
        line.no_wrap, line.overflow = True, "ellipsis"
    inside = Group(*lines) if short else Group(legend, *lines)
    legend_lines = 0 if short else len(textwrap.wrap(legend.plain, width - 4))
    panel = Panel(inside, title="[bold]satmachine demo[/]", title_align="left", box=box.ROUNDED)
    return Layout(panel, size=legend_lines + len(lines) + 2)


def _label(name: str) -> str:
    return f"{name:9}"


def _body(scene: Scene, *, narrow: bool, short: bool) -> Layout:
    body = Layout()
    customers, arrivals = Layout(_customers(scene), ratio=3), Layout(_arrivals(scene), ratio=2)
    if narrow and short:
        body.split_column(customers, arrivals)
        return body
    lps = Layout(_lps(scene), size=len(scene.lps) + 3)
    cash = Layout(_cash(scene), size=len(scene.cash) + 3)
    if narrow:
        body.split_column(customers, lps, cash, arrivals)
        return body
    messages = Layout(_panel(_Conversation(scene), "Direct messages", "people and the bot"))
    left, right = Layout(size=_CUSTOMERS_WIDTH), Layout()
    left.split_column(customers, arrivals)
    right.split_column(lps, cash, messages)
    body.split_row(left, right)
    return body


def _panel(inside: RenderableType, title: str, subtitle: str) -> Panel:
    return Panel(inside, title=f"[bold]{title}[/] [dim]{subtitle}[/]", title_align="left", box=box.ROUNDED)


def _customers(scene: Scene) -> Panel:
    rows: list[Sequence[RenderableType]] = []
    for row in scene.sales:
        sale = row.sale
        if not row.payment_hash:
            continue
        rows.append(
            (
                row.settlement or "",
                _cut(sale.at) if sale.at else "buys cash" if sale.cash_out else "sells cash",
                f"{sale.fiat:,}" if sale.currency == CURRENCY else sale.cash,
                f"{sale.principal_sats:,}",
                f"{sale.platform_fee_sats:,}",
                f"{sale.operator_fee_sats:,}",
                row.receipt,
                Text(row.status, style=_STATUS_STYLES.get(row.status, "")),
            )
        )
    columns = [
        ("id", "left"),
        ("customer", "left"),
        (f"cash {CURRENCY}", "right"),
        ("principal", "right"),
        ("platform", "right"),
        ("operator", "right"),
        ("receipt", "left"),
        ("settlement", "left"),
    ]
    title = f"{len(rows)} of {len(scene.sales)}, amounts in sats"
    return _panel(_Latest(columns, rows), "Customers at the ATM", title)


def _arrivals(scene: Scene) -> Panel:
    rows = [
        (
            Text(f"{each.amount_sats:,} sats", style="green"),
            "→",
            Text(each.payee, style="cyan"),
            f"for {each.settlement}" if each.settlement else "paid out by order",
        )
        for each in scene.arrivals
    ]
    columns = [("", "right"), ("", "left"), ("", "left"), ("", "left")]
    return _panel(_Latest(columns, rows), "Payments that arrived", f"{scene.arrived:,}, {sats(scene.arrived_sats)}")


def _lps(scene: Scene) -> Panel:
    rows: list[Sequence[RenderableType]] = []
    for lp in scene.lps.values():
        if not lp.joined:
            rows.append((lp.name, Text("has not joined", style="dim"), "", "", "", ""))
            continue
        seen = "" if lp.got_sats is None else f"{lp.got_sats:,}"
        currency = "" if lp.currency == CURRENCY else f" {lp.currency}"
        agree = lp.got_sats is None or lp.got_sats == lp.said_sats
        style = "green" if agree else "yellow"
        rows.append(
            (
                lp.name,
                _grouped(lp.deposited) + currency,
                _grouped(lp.remaining) + currency,
                Text(f"{lp.said_sats:,}", style=style),
                Text(seen, style=style),
                "",
            )
        )
    columns = [
        ("LP", "left"),
        (f"brought {CURRENCY}", "right"),
        (f"left {CURRENCY}", "right"),
        ("the bot says sats", "right"),
        ("arrived sats", "right"),
        ("", "left"),
    ]
    return _panel(_Latest(columns, rows), "LPs", "what the bot tells them, and what they got")


def _cash(scene: Scene) -> Panel:
    """Each machine's notes as it reports them; yellow where the bot believes something else."""
    rows: list[Sequence[RenderableType]] = []
    for row in scene.cash.values():
        agree = all(row.believed.get(position) == bay["count"] for position, bay in row.bays.items())
        alarm = Text("low", style="bold red") if row.alarm else Text("enough", style="green") if row.told else ""
        held = Text(notes(row.bays) or "has not reported", style="" if row.bays and agree else "yellow")
        rows.append((row.name, held, f"{_grouped(row.box)}", alarm))
    columns = [("machine", "left"), ("notes in its bays", "left"), ("box", "right"), ("alarm", "left")]
    return _panel(_Latest(columns, rows), "Cash", CURRENCY)


def _cut(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else name[: _NAME_WIDTH - 1] + "…"


def _grouped(fiat: str) -> str:
    """`5100.00` as `5,100.00`."""
    whole, point, part = fiat.partition(".")
    return f"{int(whole):,}{point}{part}"


class _Bill:
    """An invoice to pay: without a border, so that it can be copied, and as a QR code where there is room for it."""

    def __init__(self, invoice: str) -> None:
        self._invoice = invoice

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text("Pay this invoice:", style="bold")
        yield Text(self._invoice, overflow="fold")
        code = _qr(self._invoice).splitlines()
        room = (options.height or 0) - 1 - -(-len(self._invoice) // options.max_width)
        if len(code) > room or len(code[0]) > options.max_width:
            yield Text("(A larger window shows it as a QR code.)", style="dim")
            return
        for line in code:
            yield Text(line, no_wrap=True)


def _qr(text: str) -> str:
    """Half blocks, two rows of the code in each line, light on dark as terminals are."""
    rows = [[bool(dark) for dark in row] for row in segno.make(text.upper(), error="l").matrix_iter(border=1)]
    if len(rows) % 2:
        rows.append([False] * len(rows[0]))
    marks = {(False, False): "█", (False, True): "▀", (True, False): "▄", (True, True): " "}
    return "\n".join(
        "".join(marks[upper, lower] for upper, lower in zip(rows[top], rows[top + 1], strict=True))
        for top in range(0, len(rows), 2)
    )


def _now(scene: Scene) -> Panel:
    waiting = (
        Text("nothing needs a person", style="green")
        if not scene.worklist
        else Text(f"{scene.worklist} on the worklist need a person", style="bold red")
    )
    line = Table.grid(expand=True)
    line.add_column(ratio=1, no_wrap=True, overflow="ellipsis")
    line.add_column(justify="right", no_wrap=True)
    line.add_row(Text(scene.headline, style="bold"), waiting)
    return Panel(line, box=box.ROUNDED, title=f"[bold]Now[/] [dim]{scene.hint}[/]", title_align="left")
