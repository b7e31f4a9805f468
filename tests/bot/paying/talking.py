"""People who give the running bot orders, and read its answers out of its outbox."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

from bot.nostr import Keys, wrap_dm
from tests.bot.paying.running import Running
from tests.crash.shop import until

_ids = itertools.count()


@dataclass(slots=True)
class Said:
    """A message that was sent, in as many envelopes as one likes."""

    keys: Keys
    text: str
    created_at: int
    id: str = ""

    async def send(self, bot: Running) -> None:
        wrap, self.id = wrap_dm(self.keys, bot.shop.bot.public_key, self.text, None, self.created_at)
        await bot.atms.link.publish(wrap)


async def say(bot: Running, order: str | dict[str, Any], keys: Keys | None = None) -> Said:
    """The operator says something."""
    text = order if isinstance(order, str) else json.dumps(order)
    message = Said(keys or bot.shop.operator, text, bot.clock.now())
    await message.send(bot)
    return message


def answers(bot: Running, message: Said) -> list[str]:
    rows = bot.rows(
        "SELECT json_extract(body, '$.text') AS text FROM outbox WHERE kind = 'dm'"
        " AND json_extract(body, '$.answers') = ? ORDER BY id",
        message.id,
    )
    return [row["text"] for row in rows]


async def answer(bot: Running, message: Said) -> str:
    """The first answer, as soon as it is there."""

    async def there() -> Any:
        return answers(bot, message)

    found: list[str] = await until(there, f"an answer to {message.text}")
    return found[0]


async def ask(bot: Running, method: str, **params: Any) -> dict[str, Any]:
    """The whole answer of a program's order by the operator. Each has an id of its own: the same words within a second
    would be the same message."""
    order = {"id": next(_ids), "method": method, "params": params}
    found: dict[str, Any] = json.loads(await answer(bot, await say(bot, order)))
    return found
