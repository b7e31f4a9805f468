"""A million inputs for each parser of foreign bytes, and a million orders at a desk.

A find is printed with the command that makes it again; with `--save` its input goes into the corpus, where `make test`
tries it from then on.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Final

from bot import logs
from storage.db import Database
from tests.fuzz.orders import Storm, business, some_json, some_text
from tests.fuzz.parsers import PARSERS
from tests.fuzz.runs import MAX_FINDS, Outcome, fuzz
from tests.handlers.desk import Desk

AT_ONCE: Final = 20_000
ORDERS: Final = {"orders_in_text": some_text, "orders_in_json": some_json}
ORDERS_AT_ONCE: Final = 5_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs for each")
    parser.add_argument("--only", choices=[*PARSERS, *ORDERS], action="append", help="one of them; may be repeated")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--save", action="store_true", help="put what is found into the corpus")


def run(arguments: argparse.Namespace) -> bool:
    began = time.monotonic()
    totals: dict[str, Outcome] = {}
    with multiprocessing.get_context("spawn").Pool(arguments.processes, _quiet) as pool:
        for name in arguments.only or [*PARSERS, *ORDERS]:
            total = totals[name] = Outcome(name)
            for found in pool.imap_unordered(partial(_piece, name, arguments.seed), _pieces(name, arguments)):
                total.add(found)
                if len(total.finds) >= MAX_FINDS:
                    break
            print(f"seed {arguments.seed}: {total}", flush=True)
            for find in total.finds:
                saved = f"\n  saved as {find.save()}" if arguments.save and name in PARSERS else ""
                print(f"{find}{saved}", flush=True)
    finds = sum(len(total.finds) for total in totals.values())
    runs = sum(total.runs for total in totals.values())
    minutes = (time.monotonic() - began) / 60
    print(f"fuzz: {len(totals)} parsers, {runs:,} runs, {finds} undeclared exceptions, {minutes:.0f} min", flush=True)
    return finds == 0


def _quiet() -> None:
    """What relays are reported for is not what is looked at here."""
    logs.configure("error", "json")


def _pieces(name: str, arguments: argparse.Namespace) -> Iterator[tuple[int, int]]:
    step = ORDERS_AT_ONCE if name in ORDERS else AT_ONCE
    end = arguments.first + arguments.runs
    for first in range(arguments.first, end, step):
        yield first, min(step, end - first)


def _piece(name: str, seed: int, piece: tuple[int, int]) -> Outcome:
    if name in ORDERS:
        return asyncio.run(_orders(name, seed, *piece))
    return fuzz(name, seed, *piece)


async def _orders(name: str, seed: int, first: int, runs: int) -> Outcome:
    """A piece has a desk of its own: what an order meets depends on those before it, from the piece's first on."""
    with tempfile.TemporaryDirectory() as folder:
        db = await Database.open(Path(folder) / "books.db")
        try:
            desk = Desk(db)
            await desk.open_wallets()
            await business(desk)
            storm = Storm(desk, ORDERS[name], seed)
            return await desk.tx(lambda tx: storm.run(tx, first, runs))
        finally:
            await db.close()
