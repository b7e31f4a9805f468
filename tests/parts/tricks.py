"""Things that happen to single answers of a wallet on their way out, chosen by the test.

A trick names the answers that it is about (method, how many of those to let pass first, how many to take) and what
becomes of them. Each answer meets the first trick that wants it.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import secrets
from collections.abc import Callable
from typing import Literal

from bot.demo.wallet_messages import Reply, Request, WalletError
from bot.demo.wallet_service import HostedWallet
from nwc.ports import Cipher

What = Literal[
    "drop",  # never sent
    "delay",  # sent after delay_seconds
    "twice",  # sent two times, in two events
    "stranger",  # signed by a key that is not the wallet's
    "other_request",  # its e tag names a request that nobody made
    "no_preimage",  # success without a preimage
    "wrong_preimage",  # success with the preimage of something else
    "error",  # `error_code` instead of what happened
    "error_first",  # `error_code`, and after delay_seconds what happened
    "not_found",  # NOT_FOUND whatever is asked
    "garbage",  # JSON that is no response
]


@dataclasses.dataclass(slots=True)
class Trick:
    """One thing to do to `times` answers of `method` (None: any), after `skip` of them went out unharmed."""

    what: What
    method: str | None = None
    skip: int = 0
    times: int = 1_000_000
    delay_seconds: float = 0.0
    error_code: str = "INTERNAL"

    def wants(self, reply: Reply) -> bool:
        """Whether this answer is taken; counts."""
        if self.times <= 0 or (self.method is not None and reply.result_type != self.method):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.times -= 1
        return True


async def play(
    trick: Trick, wallet: HostedWallet, request: Request, reply: Reply, stranger: Callable[[], Cipher]
) -> None:
    """Does to the answer what the trick says."""
    failed = Reply(reply.result_type, error=WalletError(trick.error_code, "something went wrong"))
    match trick.what:
        case "drop":
            return
        case "delay":
            await asyncio.sleep(trick.delay_seconds)
            await wallet.respond(request, reply)
        case "twice":
            await wallet.respond(request, reply)
            await wallet.respond(request, reply)
        case "stranger":
            await wallet.respond(request, reply, signer=stranger())
        case "other_request":
            await wallet.respond(request, reply, answers=secrets.token_hex(32))
        case "no_preimage":
            await wallet.respond(request, with_preimage(reply, None))
        case "wrong_preimage":
            await wallet.respond(request, with_preimage(reply, secrets.token_hex(32)))
        case "error":
            await wallet.respond(request, failed)
        case "error_first":
            await wallet.respond(request, failed)
            await asyncio.sleep(trick.delay_seconds)
            await wallet.respond(request, reply)
        case "not_found":
            missing = WalletError("NOT_FOUND", "this wallet knows no such invoice")
            await wallet.respond(request, Reply(reply.result_type, error=missing))
        case "garbage":
            await wallet.respond(request, Reply(reply.result_type, result={"transactions": "none", "preimage": 7}))


def with_preimage(reply: Reply, preimage: str | None) -> Reply:
    """The same reply with every preimage in it replaced, or taken out."""
    if reply.result is None:
        return reply
    result = json.loads(json.dumps(reply.result))
    for line in [result, *result.get("transactions", [])]:
        if line.pop("preimage", None) is not None and preimage is not None:
            line["preimage"] = preimage
    return dataclasses.replace(reply, result=result)
