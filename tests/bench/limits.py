"""What a bench must reach. Beyond it the bench fails, after everything was printed."""

from __future__ import annotations


class Limits:
    """Collects what was missed."""

    def __init__(self) -> None:
        self.missed: list[str] = []

    def at_most(self, what: str, found: float, limit: float) -> str:
        """The limit as it is to be printed behind the figure."""
        if found > limit:
            self.missed.append(f"{what}: {found:.2f}, and {limit:g} at most")
            return f"(at most {limit:g}: MISSED)"
        return f"(at most {limit:g})"
