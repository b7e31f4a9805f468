"""`satmachine demo`: the whole thing on one machine. Starts the surroundings and the real bot, lets the play go on.

With `--once` it ends by itself; otherwise it stays until it is stopped, so that somebody can take part. Either way its
exit code says whether every book balances.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from rich.console import Console
from rich.live import Live

from bot import logs
from bot.atm.purse import PurseTrouble
from bot.clock import SystemClock
from bot.demo import audit, gathering, live, script, summary
from bot.demo.actor import NoAnswer, OrderRefused
from bot.demo.audit import Books
from bot.demo.bot_process import BotProcess
from bot.demo.gathering import WalletLedger
from bot.demo.options import DemoOptions
from bot.demo.plan import Plan, Unusable, check
from bot.demo.play import Play, PlayFailed
from bot.demo.scene import CashRow, LpRow, SaleRow, Scene
from bot.demo.surroundings import GUEST, Surroundings, surroundings
from bot.demo.visit import Visit
from bot.demo.waiting import until
from bot.nostr import Keys
from nwc.ports import Clock

_INTERRUPTED_SECONDS: Final = 4.0
_STOP_SECONDS: Final = 40.0
_CLOSING_SECONDS: Final = 20.0
"""For the books to be compared after somebody has stopped a demo that was waiting for visitors."""
_QUIET_SECONDS: Final = 3.0
_TROUBLE: Final = (PlayFailed, PurseTrouble, NoAnswer, OrderRefused)
_T = TypeVar("_T")


class DemoFailed(Exception):
    """The demo can't go on; the message says why, with the end of the bot's log where that tells more."""


class _Stopped(Exception):
    """Somebody asked it to end."""


def run(options: DemoOptions) -> int:
    """Exit code: 0 all went well, 1 something failed or a book does not balance, 2 options that can't work."""
    console = Console()
    try:
        plan = check(options, base=Path.cwd())
    except Unusable as bad:
        Console(stderr=True).print(str(bad), markup=False, highlight=False, soft_wrap=True)
        return 2
    with tempfile.TemporaryDirectory(prefix="satmachine-demo-") as directory:
        return asyncio.run(Demo(plan, Path(directory), console).run())


class Demo:
    """One run. `scene` is what can be seen of it."""

    def __init__(self, plan: Plan, directory: Path, console: Console) -> None:
        self.plan, self.directory, self.console = plan, directory, console
        self.clock: Clock = SystemClock()
        lps = {name: LpRow(name) for name in plan.lp_names}
        if not plan.once:
            lps[GUEST] = LpRow(GUEST)
        self.scene = Scene(
            sales=[SaleRow(sale) for sale in plan.sales], lps=lps, cash={home: CashRow(home) for home in plan.homes}
        )
        self._stop = asyncio.Event()
        self._another = asyncio.Event()
        self._lingers = False
        """Whether it only waits for visitors: it is closed in order then."""

    async def run(self) -> int:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)
        with (self.directory / "demo.log").open("w") as log:
            logs.configure("warning", "text", log)
            try:
                async with self._shown():
                    books, wrong = await self._perform()
            except _Stopped:
                self._print("The demo has ended.")
                return 1 if self.plan.once else 0
            except (DemoFailed, OSError) as failed:
                Console(stderr=True).print(str(failed), markup=False, highlight=False, soft_wrap=True)
                return 1
        wrong = [*audit.differences(books), *wrong]
        summary.show(summary.summarize(books), wrong, self.console)
        return 1 if wrong else 0

    async def _perform(self) -> tuple[Books, list[str]]:
        """The books, and what is wrong beside them. Raises _Stopped, DemoFailed."""
        async with surroundings(self.plan, self.clock) as around:
            keys = Keys.generate()
            play = Play(self.plan, around, self.scene, keys.public_key, self.clock)
            bot = self._bot(keys, play, around)
            self.scene.started(around.relay, keys.npub)
            await bot.start()
            patience = _INTERRUPTED_SECONDS
            try:
                books, wrong = await self._first(self._act(play), bot)
                patience = _STOP_SECONDS
                wrong += gathering.own_books(play)
            finally:
                code = await bot.stop(patience)
            self.scene.say("The bot has stopped; its books are verified")
            if code != 0:
                wrong.append(f"the bot ended with exit code {code}: {bot.last_words()}")
            if (found := await bot.verify()) is not None:
                wrong.append(f"satmachine verify: {found}")
            return books, wrong

    def _bot(self, keys: Keys, play: Play, around: Surroundings) -> BotProcess:
        wallets = {script.WALLETS[home]: wallet.bot.text for home, wallet in around.wallets.items()}
        if around.spare is not None:
            wallets[script.SPARE_WALLET] = around.spare.bot.text
        return BotProcess(
            self.directory,
            keys=keys,
            relay=around.relay,
            wallets=wallets,
            operators=[play.operator.keys.public_key, *([] if self.plan.once else [play.guest_operator.public_key])],
            platform=play.platform.keys.public_key,
            network=self.plan.network,
            allow_private_targets=self.plan.network != "mainnet",
        )

    async def _act(self, play: Play) -> tuple[Books, list[str]]:
        async with play:
            ledger = WalletLedger(play)
            await ledger.begin()
            await play.prepare()
            if not self.plan.once:
                await play.invite()
            async with asyncio.TaskGroup() as group:
                visit = Visit(play, play.spare) if play.spare is not None else None
                tasks = [group.create_task(play.follow()), group.create_task(play.tend())]
                if visit is not None:
                    tasks.append(group.create_task(visit.run()))
                await play.serve_all()
                self.scene.say("Every customer is served; the last payments are on their way")
                await play.settled()
                if not self.plan.once:
                    await self._linger(play, visit)
                async with play.tending:
                    for task in tasks:
                        task.cancel()
            self.scene.say("All is settled; every book is compared with every other")
            return await gathering.gather(play, ledger), []

    async def _linger(self, play: Play, visit: Visit | None) -> None:
        """Stays for visitors until it is stopped; Enter brings another customer, to both machines by turns."""
        interactive = self.console.is_terminal and sys.stdin.isatty()
        self.scene.hint = "Enter: more. Ctrl-C: end" if interactive else "Ctrl-C: end"
        self.scene.say(f"All {self.scene.planned} served, the bot stays. {self.scene.hint}")
        if interactive:
            asyncio.get_running_loop().add_reader(sys.stdin.fileno(), self._on_key)
        self._lingers, visitors_turn = True, True
        while not self._stop.is_set():
            await self._another.wait()
            self._another.clear()
            if self._stop.is_set():
                break
            try:
                served = visitors_turn and visit is not None and await visit.serve()
                if not served:
                    await play.serve_another()
                visitors_turn = not served
            except PurseTrouble as trouble:
                self.scene.say(str(trouble))
        self.scene.hint = ""
        self.scene.say("The demo ends")
        if visit is not None:
            await visit.close()
        await play.quiet(_QUIET_SECONDS)

    def _on_signal(self) -> None:
        """The first one asks for an end in order, where there is one; the second one ends it at once."""
        if self._stop.is_set():
            self._lingers = False
        self._stop.set()
        self._another.set()

    def _on_key(self) -> None:
        if not os.read(sys.stdin.fileno(), 1_024):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        self._another.set()

    async def _first(self, work: Coroutine[Any, Any, _T], bot: BotProcess) -> _T:
        """The result of `work`, unless the bot dies or somebody stops the demo before."""
        acting = asyncio.create_task(work)
        others = [asyncio.create_task(bot.wait()), asyncio.create_task(self._stopped())]
        try:
            await asyncio.wait({acting, *others}, return_when=asyncio.FIRST_COMPLETED)
            if others[1].done():
                raise _Stopped
            if others[0].done():
                code = others[0].result()
                raise DemoFailed(f"the bot ended with exit code {code}:\n{bot.last_words()}")
            return await acting
        except* _TROUBLE as group:
            raise DemoFailed(f"{_first_of(group)}\nThe bot's log ends with:\n{bot.last_words()}") from None
        finally:
            for task in (acting, *others):
                task.cancel()
            await asyncio.gather(acting, *others, return_exceptions=True)

    async def _stopped(self) -> None:
        """Returns when the demo has to end whether its books were compared or not."""
        await self._stop.wait()
        await until(lambda: not self._lingers, _CLOSING_SECONDS)

    @asynccontextmanager
    async def _shown(self) -> AsyncIterator[None]:
        """The live view on a terminal, plain lines everywhere else."""
        if not self.console.is_terminal:
            self.scene.on_line = self._print
            yield
            return
        with Live(console=self.console, screen=True, auto_refresh=False) as view:
            drawing = asyncio.create_task(self._redraw(view))
            try:
                yield
            finally:
                drawing.cancel()
                await asyncio.gather(drawing, return_exceptions=True)

    async def _redraw(self, view: Live) -> None:
        """Draws where something has changed: a terminal that is drawn on forgets what was marked to be copied."""
        shown = None
        while True:
            width, height = self.console.size
            view.update(live.draw(self.scene, width=width, height=height))
            lines = self.console.render_lines(view.get_renderable())
            if lines != shown:
                view.refresh()
                shown = lines
            await asyncio.sleep(1 / live.FRAMES_PER_SECOND)

    def _print(self, line: str) -> None:
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def _first_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found
