"""Orders are tried at the desk of the handlers' tests, and their answers are held against the catalogues there."""

from __future__ import annotations

from tests.handlers.conftest import desk, said_in_every_language

__all__ = ["desk", "said_in_every_language"]
