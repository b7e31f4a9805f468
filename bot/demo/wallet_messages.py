"""The requests that a NIP-47 wallet reads and the replies that it writes, as plain data.

Source: NIP-47, "Request and Response Events", from the service's side.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from nwc.event import Event

Encryption = Literal["nip44_v2", "nip04"]


class WalletError(Exception):
    """An error answer. `code` is one of NIP-47's, or what some wallets say instead."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code


@dataclass(frozen=True, slots=True)
class Request:
    """A request event, decrypted. `method` is empty where the content is no JSON object of the right form."""

    event: Event
    encryption: Encryption
    method: str
    params: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a response event carries: a result or an error."""

    result_type: str
    result: dict[str, Any] | None = None
    error: WalletError | None = None

    def to_dict(self) -> dict[str, Any]:
        error = None if self.error is None else {"code": self.error.code, "message": str(self.error)}
        return {"result_type": self.result_type, "error": error, "result": self.result}


def read_request(event: Event, encryption: Encryption, text: str) -> Request:
    """The JSON of a request. What has not the form of one comes out with an empty method."""
    try:
        parsed = json.loads(text)
    except ValueError:
        parsed = None
    method = parsed.get("method") if isinstance(parsed, dict) else None
    params = parsed.get("params") if isinstance(parsed, dict) else None
    return Request(
        event=event,
        encryption=encryption,
        method=method if isinstance(method, str) else "",
        params=params if isinstance(params, dict) else {},
    )


def text_param(params: dict[str, Any], name: str) -> str:
    value = params.get(name)
    if not isinstance(value, str) or not value:
        raise WalletError("OTHER", f"{name} is missing")
    return value


def number_param(params: dict[str, Any], name: str) -> int | None:
    """A whole number that is not negative, or None where it is left out."""
    value = params.get(name)
    if value is None:
        return None
    if type(value) is not int or value < 0:
        raise WalletError("OTHER", f"{name} must be a whole number")
    return value
