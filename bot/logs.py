"""Logging: text on a terminal, JSON otherwise, to standard error. Secrets are taken out on the way, whatever logs them.

Tracebacks show no local variables: those hold keys.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, TextIO

import structlog

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["auto", "text", "json"]

HIDDEN = "[hidden]"
MAX_DEPTH = 6
_SECRETS = re.compile(
    r"nsec1[0-9a-z]+|ncryptsec1[0-9a-z]+|bunker://\S+|(?:nostr\+walletconnect|nostrwalletconnect):\S+|secret=[^&\s'\"]+",
    re.IGNORECASE,
)
_SECRET_NAMES = re.compile(
    r"^(?!.*pub).*(?:secret|nsec|password|passphrase|token|(?:^|_)(?:seckey|privkey|key|uri)$)", re.IGNORECASE
)
_HEX_64 = re.compile(r"\b[0-9a-fA-F]{64}\b")


def configure(level: Level, form: Format, stream: TextIO | None = None) -> None:
    """From now on everything that is logged, by libraries too, goes to `stream` (standard error), redacted."""
    out = sys.stderr if stream is None else stream
    text = form == "text" or (form == "auto" and out.isatty())
    renderer: Any = structlog.processors.JSONRenderer(ensure_ascii=False, default=str)
    if text:
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=out.isatty(), exception_formatter=plain)
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    after: list[Any] = [structlog.processors.format_exc_info, redact, renderer]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=before,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *after],
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("asyncio", "httpx", "httpcore", "uvicorn.access", "aiosqlite"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def redact(logger: object, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: hides keys, wallet connections and 64 hex characters under a name like `secret`."""
    return {name: _clean(name, value, 0) for name, value in event.items()}


def redacted(text: str) -> str:
    """The text without nsec, ncryptsec, bunker and wallet connections."""
    return _SECRETS.sub(HIDDEN, text)


def _clean(name: str, value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        return HIDDEN
    if isinstance(value, str):
        text = redacted(value)
        return _HEX_64.sub(HIDDEN, text) if _SECRET_NAMES.search(name) else text
    if isinstance(value, bytes):
        return HIDDEN if _SECRET_NAMES.search(name) else redacted(repr(value))
    if isinstance(value, Mapping):
        return {redacted(str(key)): _clean(str(key), item, depth + 1) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_clean(name, item, depth + 1) for item in value]
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _clean(name, repr(value), depth + 1)
