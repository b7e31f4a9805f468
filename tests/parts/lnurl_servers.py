"""Lightning address servers that cheat, stall and break: each user of one may have a twist.

`server.twist("ana", "plus_one_msat")` turns one user bad, `server.twist("ana", None)` good again; `down` and `up` take
the whole server away and bring it back at the same port.
"""

from __future__ import annotations

import asyncio
import functools
import json
import zlib
from collections.abc import AsyncIterator
from typing import Any, Literal

from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse

from bot.demo.addresses import AddressServer
from bot.demo.books import Invoice
from bot.demo.lightning import Odd

Twist = Literal[
    # What the invoice says.
    "plus_one_msat",
    "times_1000",
    "amountless",
    "wrong_network",
    "expired",
    "soon_expired",
    "wrong_hash",
    "long_cltv",
    "same_invoice",  # the first one again at every call
    "same_hash",  # a new invoice with the hash of the first
    "paid_by_other",  # an invoice that somebody else has paid already
    "mixed_case",
    # What the pay request says.
    "foreign_callback",  # the callback is at `callback_url`
    "callback_with_query",  # not hostile: the amount has to be joined with "&"
    "wrong_tag",
    "upside_down",  # minSendable above maxSendable
    # How the server behaves, for both requests.
    "slow",  # nothing for `delay_seconds`, then the answer
    "drip",  # a byte every `delay_seconds`
    "redirect",  # to `redirect_url`
    "gzip_bomb",
    "endless",
    "not_json",
    "error",
    "unavailable",
]

_BOMB_BYTES = 64 * 1024 * 1024
_RICH_PAYER = "somebody else"


class HostileAddresses(AddressServer):
    """An address server whose users each may have a twist."""

    delay_seconds = 1.0
    redirect_url = "http://127.0.0.1:9/"
    callback_url = "http://169.254.169.254/latest"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.twists: dict[str, Twist] = {}
        self._first: dict[str, Invoice] = {}

    def twist(self, user: str, twist: Twist | None) -> None:
        self.twists.pop(user, None)
        self._first.pop(user, None)
        if twist is not None:
            self.twists[user] = twist

    async def down(self) -> None:
        """Connections are refused from now on."""
        await self.stop()

    async def up(self) -> None:
        await self.start()

    def pay_request(self, user: str) -> dict[str, Any]:
        honest = super().pay_request(user)
        match self.twists.get(user):
            case "foreign_callback":
                return honest | {"callback": self.callback_url}
            case "callback_with_query":
                return honest | {"callback": honest["callback"] + "?lang=en"}
            case "wrong_tag":
                return honest | {"tag": "withdrawRequest"}
            case "upside_down":
                return honest | {"minSendable": honest["maxSendable"], "maxSendable": honest["minSendable"]}
            case _:
                return honest

    def invoice(self, user: str, amount_msat: int, comment: str | None) -> Invoice:
        account = self.users[user]
        make = self.network.make_invoice
        now = self.network.clock.now()
        match self.twists.get(user):
            case "plus_one_msat":
                return super().invoice(user, amount_msat + 1, comment)
            case "times_1000":
                return super().invoice(user, amount_msat * 1000, comment)
            case "amountless":
                return make(account, None)
            case "wrong_network":
                other = "testnet" if self.network.chain == "mainnet" else "mainnet"
                return make(account, amount_msat, odd=Odd(chain=other))
            case "expired":
                return make(account, amount_msat, odd=Odd(created_at=now - 7200))
            case "soon_expired":
                return make(account, amount_msat, expiry_seconds=2)
            case "wrong_hash":
                return make(account, amount_msat, description_hash="ab" * 32)
            case "long_cltv":
                return make(account, amount_msat, min_final_cltv=20_000)
            case "same_invoice":
                return self._first.setdefault(user, super().invoice(user, amount_msat, comment))
            case "same_hash":
                first = self._first.setdefault(user, super().invoice(user, amount_msat, comment))
                return make(account, amount_msat, odd=Odd(preimage=bytes.fromhex(first.preimage)))
            case "paid_by_other":
                made = super().invoice(user, amount_msat, comment)
                self.network.add_account(_RICH_PAYER)
                self.network.fund(_RICH_PAYER, amount_msat + self.network.fee_msat(_RICH_PAYER, account, amount_msat))
                self.network.settle(self.network.start(_RICH_PAYER, made.bolt11))
                return made
            case _:
                return super().invoice(user, amount_msat, comment)

    async def respond_pay_request(self, user: str) -> Response:
        return await self._twisted(user, await super().respond_pay_request(user))

    async def respond_callback(self, user: str, amount_msat: int, comment: str | None) -> Response:
        answer = await super().respond_callback(user, amount_msat, comment)
        if self.twists.get(user) == "mixed_case":
            content = json.loads(bytes(answer.body))
            pr: str = content["pr"]
            answer = JSONResponse(content | {"pr": pr[:20].upper() + pr[20:]})
        return await self._twisted(user, answer)

    async def _twisted(self, user: str, answer: Response) -> Response:
        match self.twists.get(user):
            case "slow":
                await asyncio.sleep(self.delay_seconds)
            case "drip":
                return StreamingResponse(_drops(bytes(answer.body), self.delay_seconds), media_type="application/json")
            case "redirect":
                return RedirectResponse(self.redirect_url, 302)
            case "gzip_bomb":
                headers = {"content-encoding": "gzip", "content-type": "application/json"}
                return Response(await asyncio.to_thread(_bomb), headers=headers)
            case "endless":
                return StreamingResponse(_spaces(), media_type="application/json")
            case "not_json":
                return Response("<html>Welcome to nginx!</html>", media_type="text/html")
            case "error":
                return JSONResponse({"status": "ERROR", "reason": "the payee's node is away"})
            case "unavailable":
                return Response("", 503)
        return answer


async def _drops(body: bytes, delay_seconds: float) -> AsyncIterator[bytes]:
    for byte in body:
        await asyncio.sleep(delay_seconds)
        yield bytes([byte])


async def _spaces() -> AsyncIterator[bytes]:
    while True:
        yield b" " * 65_536
        await asyncio.sleep(0)


@functools.cache
def _bomb() -> bytes:
    """Some 60 kB of one gzip stream that unpack to 64 MB."""
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    chunk = b" " * 65_536
    packed = [packer.compress(chunk) for _ in range(_BOMB_BYTES // len(chunk))]
    return b"".join([*packed, packer.flush()])
