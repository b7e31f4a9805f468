"""Services outside that are told of alarms: mail, chat, push, by the addresses of the notification library.

An address has a password in it, which no log, answer or traceback may show: nothing here keeps it in a message, and
what the library and the HTTP client under it would log is not logged. The library is large: it is loaded where there
is an address.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final, Protocol

import structlog

log = structlog.get_logger(__name__)

UNREADABLE: Final = "no service of the notification library has an address like this"
SECONDS: Final = 30.0
"""For a service to take a message."""
_TALKATIVE: Final = ("apprise", "urllib3", "requests", "requests_oauthlib", "oauthlib")


class Tell(Protocol):
    """Gives a text to one service. May block, and raise anything; False: it was not taken."""

    def __call__(self, text: str, /) -> bool: ...


def unreadable(urls: Sequence[str]) -> list[int]:
    """The places, from 0, of the addresses that no service has."""
    return [place for place, url in enumerate(urls) if _load(url) is None]


def services(urls: Sequence[str], title: str) -> list[Tell]:
    """One for each address, in their order. One that can't be read takes nothing: `satmachine check` names it."""
    return [_service(url, title) for url in urls]


def _service(url: str, title: str) -> Tell:
    loaded: list[Callable[..., bool]] = []

    def tell(text: str, /) -> bool:
        """The library is loaded by the thread that sends the first message."""
        if not loaded:
            found = _load(url)
            if found is None:
                return False
            loaded.append(found)
        return loaded[0](body=text, title=title, body_format="text")  # what it escapes for HTML, or leaves

    return tell


def _load(url: str) -> Callable[..., bool] | None:
    for name in _TALKATIVE:
        logger = logging.getLogger(name)
        logger.setLevel(logging.CRITICAL + 1)
        logger.propagate = False
    from apprise import Apprise

    try:
        found = Apprise.instantiate(url)
    except Exception:  # noqa: BLE001 - whatever it is, its message may name the address
        return None
    return found.notify if found is not None else None


class Service:
    """One service, told by a thread of its own, so that one that hangs holds up nothing else."""

    def __init__(self, place: int, tell: Tell, seconds: float = SECONDS) -> None:
        """`place`: which of the configured addresses, from 0."""
        self.place = place
        self._tell = tell
        self._seconds = seconds
        self._busy = False

    async def deliver(self, text: str) -> bool:
        """Whether it took it. One that is still busy with the message before takes nothing."""
        if self._busy:
            return self._failed("it has not finished with the message before")
        loop = asyncio.get_running_loop()
        taken: asyncio.Future[bool | str] = loop.create_future()

        def answer(result: bool | str) -> None:
            if not taken.done():
                taken.set_result(result)

        def work() -> None:
            result: bool | str
            try:
                result = self._tell(text)
            except Exception as error:  # noqa: BLE001 - its message may name the address
                result = type(error).__name__
            finally:
                self._busy = False  # before anybody learns of it: the next message may follow at once
            try:
                loop.call_soon_threadsafe(answer, result)
            except RuntimeError:
                return  # the bot is gone by now

        thread = threading.Thread(target=work, name=f"alerts {self.place}", daemon=True)
        self._busy = True
        try:
            thread.start()
        except RuntimeError:
            self._busy = False
            return self._failed("the system gives no thread for it")
        try:
            async with asyncio.timeout(self._seconds):
                result = await taken
        except TimeoutError:
            return self._failed(f"no answer in {self._seconds:g} s")
        return result if isinstance(result, bool) and result else self._failed(result or "it did not take it")

    def _failed(self, reason: bool | str) -> bool:
        log.warning("alert_not_taken", service=f"alerts.urls[{self.place}]", reason=str(reason))
        return False
