"""What a machine must not forget when it is switched off: its cash, its count of transactions, what the bot told it,
and reports that nobody has received yet.

One small JSON file, replaced as a whole, so that a power cut leaves the old one or the next.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from bot.atm.cash import Cash, positions, read_positions

MAX_BYTES: Final = 4 * 1024 * 1024


class BadMemory(Exception):
    """The file can't be used. The message says why, and is fit to show."""


@dataclass(slots=True)
class Memory:
    cash: Cash = field(default_factory=Cash)
    seq: int = 0
    """The number of the last transaction."""
    fees: dict[str, str] | None = None
    """As the bot's newest fee config has them."""
    fees_at: int = 0
    config_at: int = 0
    """`created_at` of the newest cassette config that was looked at; older ones are of another time."""
    config_id: str = ""
    state_at: int = 0
    """`created_at` of the last cassette state: the next one is later."""
    unreported: list[dict[str, Any]] = field(default_factory=list)
    """Settlements without a receipt."""

    def to_dict(self) -> dict[str, Any]:
        return {
            "bays": positions(self.cash.bays),
            "box": self.cash.box,
            "full": self.cash.full,
            "seq": self.seq,
            "fees": self.fees,
            "fees_at": self.fees_at,
            "config_at": self.config_at,
            "config_id": self.config_id,
            "state_at": self.state_at,
            "unreported": self.unreported,
        }

    @classmethod
    def from_dict(cls, value: object) -> Memory:
        """Raises ValueError."""
        if not isinstance(value, dict):
            raise ValueError("it is no JSON object")
        unreported, fees = value.get("unreported", []), value.get("fees")
        if not isinstance(unreported, list) or not all(isinstance(each, dict) for each in unreported):
            raise ValueError("unreported must be a list of settlements")
        if fees is not None and not (isinstance(fees, dict) and all(isinstance(fee, str) for fee in fees.values())):
            raise ValueError("fees must be an object of texts")
        numbers = {name: value.get(name, 0) for name in ("box", "full", "seq", "fees_at", "config_at", "state_at")}
        for name, number in numbers.items():
            if type(number) is not int or number < 0:
                raise ValueError(f"{name} must be a whole number from 0")
        cash = Cash(read_positions(value.get("bays", {})), numbers.pop("box"), numbers.pop("full"))
        return cls(cash, fees=fees, config_id=str(value.get("config_id", "")), unreported=unreported, **numbers)


class Keeper:
    """A memory and the file where it is kept; without a path it is forgotten at the end."""

    def __init__(self, path: Path | None) -> None:
        """Raises BadMemory."""
        self.path = path
        self.fresh = path is None or not path.exists()
        self.memory = Memory() if self.fresh or path is None else _load(path)

    def save(self) -> None:
        """Raises OSError."""
        if self.path is None:
            return
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            with beside.open("w", encoding="utf-8") as file:
                json.dump(self.memory.to_dict(), file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self.path)
        finally:
            with contextlib.suppress(FileNotFoundError):
                beside.unlink()


def _load(path: Path) -> Memory:
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise ValueError(f"it is larger than {MAX_BYTES:,} bytes")
        return Memory.from_dict(json.loads(text))
    except OSError as error:
        raise BadMemory(f"{path}: {error.strerror or error}") from None
    except ValueError as error:
        raise BadMemory(f"{path}: this is no machine's memory ({error}): name another file to begin anew") from None
