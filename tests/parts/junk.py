"""What strangers can throw at a bot: events that a relay would pass on, as JSON, no two of them the same.

Written against what is public: the bot's key and its kinds. Each sort is what one careless or hostile program sends.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Mapping
from typing import Final

from bot.nostr import Keys, wrap_dm
from nwc.event import Event

MEBIBYTE: Final = 2**20
REPEATING: Final = 50
"""Strangers who write more than once, beside those of whom nothing is heard again."""


class Junk:
    """A source of junk for the bot with this public key. `now`: unix seconds at which all of it was signed."""

    def __init__(self, bot: str, chance: random.Random, now: int) -> None:
        self._bot, self._chance, self._now = bot, chance, now
        self._regulars = [Keys.generate() for _ in range(REPEATING)]
        self._number = 0
        self._sorts: Mapping[str, tuple[int, Callable[[], object]]] = {
            "wrong signature": (15, self._wrong_signature),
            "forged id": (10, self._forged_id),
            "garbage in a wrap": (20, self._garbage_in_a_wrap),
            "garbage in a seal": (8, self._garbage_in_a_seal),
            "order of a stranger": (12, self._order_of_a_newcomer),
            "order of a regular": (12, self._order_of_a_regular),
            "report of no machine": (10, self._report),
            "stored report of no machine": (5, self._stored_report),
            "signed order of a stranger": (6, self._signed_order),
            "for somebody else": (1, self._for_somebody_else),
            "many tags": (1, self._many_tags),
        }
        self._large: Mapping[str, Callable[[], object]] = {
            "1 MiB": lambda: self._event(1059, "x" * (MEBIBYTE - 1_000)),
            "5 MB of tags": self._five_megabytes_of_tags,
        }

    def some(self) -> tuple[str, str]:
        """Which sort it is, and the event."""
        weights = [weight for weight, _ in self._sorts.values()]
        sort = self._chance.choices([*self._sorts], weights)[0]
        return sort, self._written(self._sorts[sort][1])

    def one(self, sort: str) -> str:
        """One of that sort, those that are larger than any message among them."""
        return self._written(self._large[sort] if sort in self._large else self._sorts[sort][1])

    @property
    def sorts(self) -> tuple[str, ...]:
        return (*self._sorts, *self._large)

    def _written(self, make: Callable[[], object]) -> str:
        self._number += 1
        return json.dumps(make(), separators=(",", ":"))

    def _event(self, kind: int, content: str, *tags: list[str], keys: Keys | None = None) -> dict[str, object]:
        cipher = (keys or Keys.generate()).cipher()
        return cipher.sign(kind, [["p", self._bot], *tags], content, self._now).to_dict()

    def _wrong_signature(self) -> object:
        return {**self._event(1059, f"A{self._number}"), "sig": self._chance.randbytes(64).hex()}

    def _forged_id(self) -> object:
        return {**self._event(21_000, f"A{self._number}"), "id": self._chance.randbytes(32).hex()}

    def _garbage_in_a_wrap(self) -> object:
        once = Keys.generate()
        text = self._chance.choice(["", "{}", "[" * 500, '{"kind":13}', "hello"]) + str(self._number)
        return self._event(1059, once.cipher().nip44_encrypt(self._bot, text), keys=once)

    def _garbage_in_a_seal(self) -> object:
        """The seal is genuine, what is in it is none of ours."""
        once, author = Keys.generate(), Keys.generate()
        seal = author.cipher().sign(13, [], f"B{self._number}", self._now)
        return self._event(1059, once.cipher().nip44_encrypt(self._bot, json.dumps(seal.to_dict())), keys=once)

    def _order_of_a_newcomer(self) -> object:
        return self._order(Keys.generate(), "join")

    def _order_of_a_regular(self) -> object:
        return self._order(self._chance.choice(self._regulars), "whoami")

    def _order(self, author: Keys, word: str) -> object:
        text = self._chance.choice(["hello", "help", "status", "pause", word, '{"method":"status"}'])
        # The same words in one second are one message to the bot: a space makes another one of it.
        return wrap_dm(author, self._bot, text + " " * (self._number % 500), None, self._now)[0].to_dict()

    def _report(self) -> object:
        machine = Keys.generate()
        return self._event(21_000, machine.cipher().nip44_encrypt(self._bot, f"{self._number}"), keys=machine)

    def _stored_report(self) -> object:
        d = ["d", f"bitspire-settlement:{self._chance.randbytes(32).hex()}"]
        return self._event(78, "C" * 2_000, d)

    def _signed_order(self) -> object:
        stranger = Keys.generate()
        return self._event(14, stranger.cipher().nip44_encrypt(self._bot, "status"), keys=stranger)

    def _for_somebody_else(self) -> object:
        event = Keys.generate().cipher().sign(1059, [["p", Keys.generate().public_key]], "D", self._now)
        return event.to_dict()

    def _many_tags(self) -> object:
        return self._event(1059, f"E{self._number}", *(["t", str(number)] for number in range(1_500)))

    def _five_megabytes_of_tags(self) -> object:
        """Not signed: whoever reads it so far that this matters has read too far."""
        event = self._event(21_000, f"F{self._number}")
        tags = [["p", self._bot], *(["t", "x" * 80] for _ in range(55_000))]
        return Event.from_dict({**event, "tags": tags}).to_dict()
