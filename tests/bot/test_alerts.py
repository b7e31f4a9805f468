"""Services outside, over real HTTP: told in order and again, never holding anything up, their passwords in no log."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from bot import alerts, logs
from bot.alerts import Service, Tell
from bot.workers import alerting
from bot.workers.alerting import Alerting
from bot.workers.wakeup import Bells
from storage import alerts as queue
from storage.db import Database
from tests.bot.workers.on_a_wire import becomes, running

NOW = 1_790_000_000
PASSWORD = "hunter2-very-secret"


@dataclass
class Site:
    """A web server on loopback that takes notes. `status` is what it answers; it answers nothing while it hangs."""

    url: str = ""
    status: int = 200
    hangs: threading.Event = field(default_factory=threading.Event)
    got: list[dict[str, Any]] = field(default_factory=list)

    @property
    def texts(self) -> list[str]:
        return [body["message"] for body in self.got]


@pytest.fixture
def site() -> Iterator[Site]:
    with served() as made:
        yield made


@contextmanager
def served() -> Iterator[Site]:
    made = Site()
    made.hangs.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            made.hangs.wait(20)
            if made.status == 200:
                made.got.append(body)
            self.send_response(made.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    made.url = f"json://boss:{PASSWORD}@127.0.0.1:{server.server_port}"
    try:
        yield made
    finally:
        made.hangs.set()
        server.shutdown()
        server.server_close()
        thread.join()


def tell_of(url: str) -> Tell:
    (tell,) = alerts.services([url], "Sintra ATMs")
    return tell


# --- one service -----------------------------------------------------------------------------------------------------


async def test_a_service_gets_the_text_under_the_bots_name(site: Site) -> None:
    assert await Service(0, tell_of(site.url)).deliver("sintra has been silent.\nLook.")
    (body,) = site.got
    assert (body["title"], body["message"]) == ("Sintra ATMs", "sintra has been silent.\nLook.")


async def test_what_is_markup_for_a_service_is_escaped_for_it(site: Site) -> None:
    """Telegram refuses a stray `<`; a mail in HTML would have one line."""
    await Service(0, tell_of(f"{site.url}/?format=html")).deliver("D7: 5 of <b lp & co\nLook.")
    (text,) = site.texts
    assert "&lt;b" in text
    assert "&amp;" in text
    assert "<br" in text


@pytest.mark.parametrize("status", [401, 404, 500, 503])
async def test_one_that_refuses_did_not_take_it(site: Site, status: int) -> None:
    site.status = status
    assert not await Service(0, tell_of(site.url)).deliver("x")


@pytest.mark.parametrize(
    "url", ["json://127.0.0.1:1", "json://x.invalid", "nonsense://x", "no address at all", "json://"]
)
async def test_one_that_is_not_there(url: str) -> None:
    assert not await Service(0, tell_of(url)).deliver("x")


async def test_one_that_hangs_holds_up_one_thread_and_no_more(site: Site) -> None:
    """The next message does not start another thread. When it has recovered it takes messages again."""
    site.hangs.clear()
    slow = Service(3, tell_of(site.url), seconds=0.2)
    before = threading.active_count()
    with capture_logs() as said:
        assert not await slow.deliver("one")
        busy = threading.active_count()
        for _ in range(5):
            assert not await slow.deliver("two")
    assert threading.active_count() == busy <= before + 2  # the service's thread and the server's
    assert [line["service"] for line in said] == ["alerts.urls[3]"] * 6
    assert said[0]["reason"] == "no answer in 0.2 s"
    site.hangs.set()

    async def free() -> bool:
        return not slow._busy

    await becomes(free, "the thread ends")
    assert await slow.deliver("three")


async def test_one_that_raises_did_not_take_it() -> None:
    def tell(_: str, /) -> bool:
        raise ValueError(f"json://boss:{PASSWORD}@127.0.0.1")

    with capture_logs() as said:
        assert not await Service(0, tell).deliver("x")
    assert said == [
        {"event": "alert_not_taken", "log_level": "warning", "service": "alerts.urls[0]", "reason": "ValueError"}
    ]


BAD = [
    f"nonsense://boss:{PASSWORD}@x",
    f"tgram://{PASSWORD}",
    f"json://boss:{PASSWORD}@127.0.0.1:1",
    f"json://boss:{PASSWORD}@127.0.0.1:99999",
    f"ntfys://{PASSWORD}@/",
    f"mailtos://boss:{PASSWORD}@127.0.0.1:1/?from=a@b.c&to=a@b.c",
    f"discord://{PASSWORD}/",
]


async def test_no_password_reaches_a_log(site: Site) -> None:
    """Whatever is logged at the lowest level, by whichever library, and whatever goes wrong."""
    out = io.StringIO()
    root = logging.getLogger()
    kept = (root.handlers[:], root.level)
    try:
        logs.configure("debug", "json", out)
        root.setLevel(logging.DEBUG)
        alerts.unreadable(BAD)
        site.status = 500
        for place, url in enumerate([*BAD, site.url]):
            assert not await Service(place, tell_of(url), seconds=5).deliver("x")
    finally:
        root.handlers[:], root.level = kept[0], kept[1]
    assert "alert_not_taken" in out.getvalue()
    assert PASSWORD not in out.getvalue()
    assert PASSWORD not in repr(Service(0, tell_of(site.url))) + repr(tell_of(site.url))


def test_which_addresses_can_not_be_read() -> None:
    assert alerts.unreadable(["json://127.0.0.1", "nonsense://x", "ntfys://topic", ""]) == [1, 3]


def test_the_library_is_loaded_only_where_there_is_an_address() -> None:
    """It would cost every start a quarter of a second and 40 MB."""
    code = (
        "import sys; from bot import daemon, alerts; alerts.services([], 'x'); alerts.services(['json://x'], 'x');"
        " sys.exit('apprise' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0


# --- the queue -------------------------------------------------------------------------------------------------------


@dataclass
class Clock:
    at: int = NOW

    def now(self) -> int:
        return self.at

    def monotonic(self) -> float:
        return float(self.at)


@dataclass
class Post:
    """The worker with scripted services over a real queue."""

    db: Database
    clock: Clock = field(default_factory=Clock)
    bells: Bells = field(default_factory=Bells)

    def worker(self, *tells: Tell, seconds: float = 5) -> Alerting:
        self.db.on_commit(self.bells.touched)
        services = [Service(place, tell, seconds) for place, tell in enumerate(tells)]
        return Alerting(self.db, self.clock, [(each, self.bells.for_names("alerts")) for each in services])

    async def put(self, *texts: str, services: int = 1) -> None:
        def work(tx: Any) -> None:
            queue.configure(tx, services, "en")
            for text in texts:
                queue.put(tx, text, self.clock.at)

        await self.db.write(work)

    async def waiting(self) -> int:
        return await self.db.read(lambda tx: len(tx.all("SELECT 1 FROM alerts")))

    async def empty(self) -> bool:
        return await self.waiting() == 0

    async def passes(self, seconds: int) -> None:
        self.clock.at += seconds
        self.bells.ring_all()
        await asyncio.sleep(0.03)


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    db = await Database.open(tmp_path / "books.db")
    yield Post(db)
    await db.close()


async def test_all_services_are_told_in_order_though_one_hangs(post: Post, site: Site) -> None:
    with served() as slow:
        slow.hangs.clear()
        worker = post.worker(tell_of(slow.url), tell_of(site.url), seconds=0.3)
        async with running(worker.run()):
            await post.put("one", "two", "three", services=2)

            async def told() -> bool:
                return site.texts == ["one", "two", "three"]

            await becomes(told, "the second service is told")
            assert slow.texts == []

            async def noted() -> bool:
                return await post.waiting() == 3

            await becomes(noted, "only the slow one's messages wait")


async def test_it_is_tried_again_and_again_and_then_in_order(post: Post) -> None:
    taken: list[str] = []
    refuse = [True]

    def tell(text: str, /) -> bool:
        if not refuse[0]:
            taken.append(text)
        tries.append(post.clock.at - NOW)
        return not refuse[0]

    tries: list[int] = []
    async with running(post.worker(tell).run()):
        await post.put("one", "two")
        await post.passes(0)
        for _ in range(60):
            await post.passes(30)
        assert tries[:3] == [0, 30, 60]
        assert len(tries) <= 10
        refuse[0] = False
        await post.passes(1_800)
        await becomes(post.empty, "all is told")
    assert taken == ["one", "two"]


async def test_it_is_given_up_after_a_day(post: Post) -> None:
    async with running(post.worker(lambda _: False).run()):
        await post.put("one")
        with capture_logs() as said:
            for _ in range(60):
                await post.passes(1_800)
            await becomes(post.empty, "it is given up")
    assert [line["service"] for line in said if line["event"] == "alert_given_up"] == ["alerts.urls[0]"]


async def test_a_clock_that_was_ahead_keeps_nothing_waiting(post: Post) -> None:
    """What was put off to a day that is far away is given up or told now, not then."""
    async with running(post.worker(lambda _: False).run()):
        post.clock.at += 400 * 86_400
        await post.put("one")
        await post.passes(0)
        post.clock.at -= 400 * 86_400
        await post.put("two")
        for _ in range(2):
            await post.passes(1_800)
        assert await post.waiting() == 2, "a clock that is set back drops nothing"
        post.clock.at += 86_400
        for _ in range(2):
            await post.passes(1_800)
        assert await post.waiting() == 0, "what is from a day to come is no younger than what is from today"


async def test_a_text_that_a_service_never_takes_does_not_stop_the_others(post: Post) -> None:
    taken: list[str] = []

    def tell(text: str, /) -> bool:
        if text != "bad":
            taken.append(text)
        return text != "bad"

    async with running(post.worker(tell).run()):
        await post.put("bad", "two", "three")
        for _ in range(4):
            await post.passes(30)
        assert taken == ["two", "three"]
        assert await post.waiting() == 1


async def test_a_fault_of_one_service_stops_neither_the_others_nor_the_bot(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system may have no thread left, and whatever else."""
    monkeypatch.setattr(alerting, "REST_SECONDS", 0.01)
    taken: list[str] = []
    faults: list[int] = []

    def no_thread(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def take(text: str, /) -> bool:
        taken.append(text)
        return True

    class Broken(Service):
        async def deliver(self, text: str) -> bool:
            faults.append(1)
            raise ValueError(text)

    post.db.on_commit(post.bells.touched)
    places = [Broken(0, lambda _: True), Service(1, take)]
    worker = Alerting(post.db, post.clock, [(each, post.bells.for_names("alerts")) for each in places])
    async with running(worker.run()):
        await post.put("one", services=2)

        async def told() -> bool:
            return taken == ["one"] and len(faults) > 2

        await becomes(told, "the second service is told, and the first is tried again")
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", no_thread)
        assert not await places[1].deliver("two")
    assert await places[1].deliver("three")
