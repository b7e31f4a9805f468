"""The command line: names, options and help of every command; what they do is in `bot.commands`, imported when called.

Whatever goes wrong ends in one sentence on standard error and an exit code: 0 done, 1 failed, 2 wrong usage or
configuration, 3 no answer. A traceback is shown to those who ask for one (SATMACHINE_TRACEBACK=1).
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from bot.commands.terminal import FAILED, Quit

app = typer.Typer(
    name="satmachine",
    help="A headless daemon for people who run Lightning ATMs, and the tools around it.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
atm = typer.Typer(help="An ATM for trying things out.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(atm, name="atm")

DEFAULT_CONFIG: Final = Path("config.toml")
TRACEBACK: Final = "SATMACHINE_TRACEBACK"

ConfigPath = Annotated[Path, typer.Option("--config", metavar="PATH", help="The configuration.")]
UnusedConfigPath = Annotated[Path, typer.Option("--config", metavar="PATH", hidden=True)]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON.")]
MachineKey = Annotated[str, typer.Option("--key", metavar="SOURCE", help="The machine's key: file:PATH or env:NAME.")]
ToBot = Annotated[str | None, typer.Option("--to", metavar="NPUB", help="The bot. Default: that of --config.")]
AtRelays = Annotated[
    list[str] | None, typer.Option("--relay", metavar="URL", help="Instead of those of --config; repeat for more.")
]
StateFile = Annotated[
    Path | None, typer.Option("--state", metavar="PATH", help="Where the machine keeps what it must not forget.")
]
Seconds = Annotated[float, typer.Option("--timeout", metavar="SECONDS", min=0.1, max=3_600, help="How long to wait.")]


@app.command()
def run(config: ConfigPath = DEFAULT_CONFIG) -> None:
    """The daemon, in the foreground."""
    from bot.commands.run import run as command

    raise typer.Exit(command(config))


@app.command()
def demo(  # noqa: PLR0913, PLR0917 - its options
    transactions: Annotated[int | None, typer.Option(metavar="N", min=0, help="How many customers come.")] = None,
    speed: Annotated[float | None, typer.Option(metavar="X", help="2 is twice as fast.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Run to the end; exit 0 only if the books balance.")] = False,
    port: Annotated[int | None, typer.Option(min=0, max=65_535, help="Of the embedded relay.")] = None,
    relay: Annotated[str | None, typer.Option(metavar="URL", help="Another relay than the embedded one.")] = None,
    nwc: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="Your own wallet as the machine's: file:PATH or env:NAME.")
    ] = None,
    lp: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="With --nwc: where an LP is paid; repeat for more.")
    ] = None,
    platform: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="With --nwc: where platform and operator are paid.")
    ] = None,
    customer_nwc: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="With --nwc: a wallet that plays the customer.")
    ] = None,
    network: Annotated[str | None, typer.Option(help="With --nwc: mainnet, testnet, signet or regtest.")] = None,
    config: UnusedConfigPath = DEFAULT_CONFIG,
) -> None:
    """The whole thing, on this machine.

    A relay, wallets, an ATM, LPs, and the real bot between them: needs no configuration and no coins.
    """
    from bot.commands.demo import demo as command

    code = command(
        transactions=transactions,
        speed=speed,
        once=once,
        port=port,
        relay=relay,
        nwc=nwc,
        lp=tuple(lp) if lp else None,
        platform=platform,
        customer_nwc=customer_nwc,
        network=network,
    )
    raise typer.Exit(code)


@app.command()
def init(
    directory: Annotated[Path, typer.Option("--dir", metavar="DIR", help="Where the files go.")] = Path(),
    key_file: Annotated[
        str | None, typer.Option(metavar="PATH", help="Take the key in this file; - reads standard input.")
    ] = None,
    generate: Annotated[bool, typer.Option("--generate", help="Make a new key.")] = False,
    name: Annotated[str | None, typer.Option(help="The name that people see.")] = None,
    relay: Annotated[list[str] | None, typer.Option(metavar="URL", help="A relay; repeat for more.")] = None,
    operator: Annotated[
        list[str] | None, typer.Option(metavar="NPUB", help="Who may give orders; repeat for more.")
    ] = None,
    wallet: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=SOURCE", help="A wallet, such as main=file:main.nwc; repeat for more."),
    ] = None,
    network: Annotated[str | None, typer.Option(help="mainnet, testnet, signet or regtest.")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing.")] = False,
) -> None:
    """Make a key and a configuration.

    Asks for what no option says. Overwrites nothing.
    """
    from bot.commands.init import Flags
    from bot.commands.init import init as command

    flags = Flags(
        directory=directory,
        key_file=key_file,
        generate=generate,
        name=name,
        relays=tuple(relay or ()),
        operators=tuple(operator or ()),
        wallets=tuple(wallet or ()),
        network=network,
        yes=yes,
    )
    raise typer.Exit(command(flags))


@app.command()
def check(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Look whether `run` can start.

    Reads configuration, secrets and database, without any network. Exit 0 if all is good, 2 with all that is not.
    """
    from bot.commands.check import check as command

    raise typer.Exit(command(config, as_json=as_json))


@app.command()
def verify(config: ConfigPath = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Look whether the books agree.

    Journal, balances, legs and payments against each other; the bot may run meanwhile. Exit 0 if they agree, 1 with
    what differs.
    """
    from bot.commands.verify import verify as command

    raise typer.Exit(command(config, as_json=as_json))


@app.command()
def export(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="machines, lps, deposits, settlements, payments, attempts, cash, journal, audit or trail.",
        ),
    ],
    format_: Annotated[str, typer.Option("--format", help="csv or json.")] = "csv",
    since: Annotated[str | None, typer.Option(metavar="TIME", help="A date (UTC) or unix seconds.")] = None,
    until: Annotated[str | None, typer.Option(metavar="TIME", help="The same; not included.")] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="A new file. Default: standard output.")
    ] = None,
    config: ConfigPath = DEFAULT_CONFIG,
) -> None:
    """Write down what is in the books.

    Every row of one kind, the oldest first, as one consistent picture; the bot may run meanwhile. Holds no secrets but
    the preimages of payments. A file appears whole or not at all.
    """
    from bot.commands.export import export as command

    raise typer.Exit(command(config, what, format_, since=since, until=until, output=output))


@app.command()
def tell(
    order: Annotated[str, typer.Argument(metavar="ORDER", help="Text or JSON; - reads standard input.")],
    config: ConfigPath = DEFAULT_CONFIG,
    as_key: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="KEYSOURCE", help="Whose order: file:PATH or env:NAME. Default: the bot's own key."
        ),
    ] = None,
    as_json: AsJson = False,
    timeout: Seconds = 30,
) -> None:
    """Give the running bot an order.

    As a direct message over the relays. Exit 0 for a result, 1 for an error answer, 3 for none.
    """
    from bot.commands.tell import tell as command

    raise typer.Exit(command(config, order, as_key=as_key, as_json=as_json, seconds=timeout))


@atm.command()
def settle(  # noqa: PLR0913, PLR0917 - its options
    key: MachineKey,
    principal_sats: Annotated[int, typer.Option(help="What the fiat is worth.")],
    currency: Annotated[str, typer.Option(help="Such as GTQ or EUR.")],
    tx_type: Annotated[str, typer.Option(help="cash_out or cash_in.")] = "cash_out",
    wire_sats: Annotated[int | None, typer.Option(help="What moved on Lightning; or --fee-sats.")] = None,
    fee_sats: Annotated[int | None, typer.Option(help="The difference; or --wire-sats.")] = None,
    fiat_amount: Annotated[str | None, typer.Option(help="Or --exchange-rate.")] = None,
    exchange_rate: Annotated[str | None, typer.Option(help="Sats per one unit of fiat; or --fiat-amount.")] = None,
    payment_hash: Annotated[str | None, typer.Option(metavar="HEX", help="Of the customer's payment.")] = None,
    wallet: Annotated[
        str | None,
        typer.Option(metavar="SOURCE", help="The machine's wallet (NWC): makes an invoice and waits until it is paid."),
    ] = None,
    txid: Annotated[str | None, typer.Option(help="The machine's own name for the transaction.")] = None,
    seq: Annotated[int | None, typer.Option(help="The machine's count of its transactions.")] = None,
    to: ToBot = None,
    relay: AtRelays = None,
    stored: Annotated[bool, typer.Option("--stored", help="As an event that relays keep (kind 78).")] = False,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
    timeout: Seconds = 30,
    pay_timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=1, help="With --wallet: how long the customer has.")
    ] = 600,
) -> None:
    """Report one customer transaction.

    Shows the receipt. Exit 0 for accepted, duplicate or unverified, 1 for rejected, 3 for none.
    """
    from bot.commands.atm import settle as command
    from bot.commands.transaction import Typed

    typed = Typed(
        tx_type=tx_type,
        principal_sats=principal_sats,
        wire_sats=wire_sats,
        fee_sats=fee_sats,
        fiat_amount=fiat_amount,
        currency=currency,
        exchange_rate=exchange_rate,
        payment_hash=payment_hash,
        txid=txid,
        seq=seq,
    )
    code = command(
        config,
        typed,
        key=key,
        to=to,
        relays=relay or (),
        wallet=wallet,
        stored=stored,
        as_json=as_json,
        seconds=timeout,
        pay_seconds=pay_timeout,
    )
    raise typer.Exit(code)


@atm.command()
def beacon(  # noqa: PLR0913, PLR0917 - its options
    key: MachineKey,
    file: Annotated[
        str | None, typer.Option("--file", metavar="PATH", help="A JSON object; - reads standard input.")
    ] = None,
    cash_in: Annotated[bool | None, typer.Option("--cash-in/--no-cash-in", help="It takes cash now.")] = None,
    cash_out: Annotated[bool | None, typer.Option("--cash-out/--no-cash-out", help="It gives cash now.")] = None,
    cash_level: Annotated[str | None, typer.Option(help="full, ok, low or empty.")] = None,
    fiat: Annotated[str | None, typer.Option(help="Such as GTQ or EUR.")] = None,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    location: Annotated[str | None, typer.Option(help="Where it stands.")] = None,
    model: Annotated[str | None, typer.Option(help="What it is.")] = None,
    firmware: Annotated[str | None, typer.Option("--version", help="Of its program.")] = None,
    to: ToBot = None,
    relay: AtRelays = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
    timeout: Seconds = 30,
) -> None:
    """Tell everybody what the machine is and does.

    Exit 0 once a relay has it, 3 if none takes it.
    """
    from bot.commands.atm import find_place
    from bot.commands.atm_says import beacon as command

    given = {
        "cash_in": cash_in,
        "cash_out": cash_out,
        "cash_level": cash_level,
        "fiat": fiat,
        "name": name,
        "location": location,
        "model": model,
        "version": firmware,
    }
    place = find_place(config, key, to, relay or ())
    raise typer.Exit(command(place, given, file, seconds=timeout, as_json=as_json))


@atm.command()
def telemetry(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A JSON object; - reads standard input.")],
    key: MachineKey,
    to: ToBot = None,
    relay: AtRelays = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
    timeout: Seconds = 30,
) -> None:
    """Tell the bot alone how the machine does.

    Exit 0 once a relay has it, 3 if none takes it.
    """
    from bot.commands.atm import find_place
    from bot.commands.atm_says import telemetry as command

    raise typer.Exit(command(find_place(config, key, to, relay or ()), file, seconds=timeout, as_json=as_json))


@atm.command()
def cassettes(
    key: MachineKey,
    bays: Annotated[
        list[str] | None, typer.Argument(metavar="[BAY]...", help="What each holds: 1=20x180 is 180 notes of 20.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Stay, take what the bot sends, and report it again.")
    ] = False,
    state: StateFile = None,
    to: ToBot = None,
    relay: AtRelays = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
    timeout: Seconds = 30,
) -> None:
    """Report what is in the bays.

    Exit 0 once a relay has it (with --follow: when it is stopped), 3 if none takes it.
    """
    from bot.commands.atm import find_place
    from bot.commands.atm_says import cassettes as command

    place = find_place(config, key, to, relay or ())
    code = command(place, bays or (), memory=state, follow=follow, seconds=timeout, as_json=as_json)
    raise typer.Exit(code)


@atm.command(name="run")
def run_machine(  # noqa: PLR0913, PLR0917 - its options
    key: MachineKey,
    currency: Annotated[str, typer.Option(help="Such as GTQ or EUR.")],
    rate: Annotated[str, typer.Option(help="Sats for one unit of it.")],
    orders: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ORDER]...", help="Such as 'out 100'. Without any they are read from standard input."),
    ] = None,
    wallet: Annotated[
        str | None, typer.Option(metavar="SOURCE", help="The machine's wallet (NWC): customers need it.")
    ] = None,
    bay: Annotated[
        list[str] | None, typer.Option("--bay", metavar="BAY", help="Such as 1=20x180; repeat for more.")
    ] = None,
    state: StateFile = None,
    name: Annotated[str | None, typer.Option(help="What people call it.")] = None,
    location: Annotated[str | None, typer.Option(help="Where it stands.")] = None,
    stay: Annotated[bool, typer.Option("--stay", help="Go on after the last order.")] = False,
    stored: Annotated[bool, typer.Option("--stored", help="Report also as events that relays keep.")] = False,
    beat: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="Between two beacons.")] = 60,
    to: ToBot = None,
    relay: AtRelays = None,
    config: ConfigPath = DEFAULT_CONFIG,
    as_json: AsJson = False,
    timeout: Seconds = 60,
    pay_timeout: Annotated[float, typer.Option(metavar="SECONDS", min=1, help="How long a customer has.")] = 600,
) -> None:
    """A whole machine, whose customers are typed.

    Tells what it is and holds, follows what the bot sends, makes and pays invoices, dispenses notes, reports.
    Exit 0; 1 where an order could not be done or was rejected, 3 where one was not answered.
    """
    from bot.commands.atm import find_place
    from bot.commands.atm_run import Run
    from bot.commands.atm_run import run as command

    options = Run(
        currency=currency,
        rate=rate,
        wallet=wallet,
        bays=bay or (),
        memory=state,
        about={key: value for key, value in (("name", name), ("location", location)) if value is not None},
        orders=orders or (),
        stay=stay,
        stored=stored,
        as_json=as_json,
        seconds=timeout,
        pay_seconds=pay_timeout,
        beat_seconds=beat,
    )
    raise typer.Exit(command(find_place(config, key, to, relay or ()), options))


@app.command()
def version(as_json: AsJson = False, config: UnusedConfigPath = DEFAULT_CONFIG) -> None:
    """Say which version this is."""
    from bot.commands.version import show

    raise typer.Exit(show(as_json=as_json))


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code."""
    try:
        app(args=arguments, prog_name="satmachine")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else FAILED if ended.code else 0
    except Quit as quit_:
        typer.echo(str(quit_), err=True)
        return quit_.code
    except KeyboardInterrupt:
        return FAILED
    except Exception as bug:  # noqa: BLE001 - whatever it is, nobody at a shell is helped by a traceback
        return _tell_of_bug(bug)
    return 0


def _tell_of_bug(bug: Exception) -> int:
    if os.environ.get(TRACEBACK):
        traceback.print_exception(bug)
        return FAILED
    # Not its message, which may quote what was given: keys, wallet connections.
    where = traceback.extract_tb(bug.__traceback__)[-1]
    place = f"{Path(where.filename).name}, line {where.lineno}"
    typer.echo(
        f"satmachine: that went wrong inside ({type(bug).__name__} in {place}): please report it;"
        f" {TRACEBACK}=1 shows where it comes from",
        err=True,
    )
    return FAILED


if __name__ == "__main__":
    sys.exit(main())
