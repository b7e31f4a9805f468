"""Tells systemd how the daemon is (sd_notify(3)): a datagram to the socket that it names, where there is one."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping


def notify(state: str, environ: Mapping[str, str] | None = None) -> None:
    """`READY=1`, `WATCHDOG=1`, `STOPPING=1`. Does nothing where no service manager listens; never raises."""
    address = (os.environ if environ is None else environ).get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as link:
            link.settimeout(1)
            link.sendto(state.encode(), "\0" + address[1:] if address[0] == "@" else address)
    except OSError:
        return


def watchdog_seconds(environ: Mapping[str, str] | None = None) -> float | None:
    """How often to say `WATCHDOG=1`: half of what systemd allows; None where it does not watch."""
    text = (os.environ if environ is None else environ).get("WATCHDOG_USEC", "")
    return int(text) / 2_000_000 if text.isascii() and text.isdigit() and int(text) else None
