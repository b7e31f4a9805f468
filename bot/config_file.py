"""Reads `config.toml` and tells all that is wrong with it at once: key, reason, and the nearest key that exists."""

from __future__ import annotations

import contextlib
import difflib
import json
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from bot.config import Config

ENV_PREFIX = "SATMACHINE__"
MAX_CONFIG_BYTES = 200_000
MAX_TOLD = 30
"""Mistakes that are told at a time: somebody who gave another file does not wait for all of them to be judged."""
_MAX_DOTS = 300
"""In a line. The parser of the standard library needs time and memory by the square of a key's parts."""
_REASONS = {
    "missing": "is missing",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be text in quotes",
    "tuple_type": 'must be a list, such as ["a", "b"]; in the environment, too',
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
    "string_too_short": "must not be empty",
    "string_too_long": "is too long",
    "too_short": "must not be empty",
    "too_long": "has too many entries",
}


class ConfigError(Exception):
    """What is wrong with the configuration: pairs of dotted key (empty: the file itself) and reason."""

    def __init__(self, path: Path, errors: Sequence[tuple[str, str]]) -> None:
        self.path = path
        self.errors = list(errors)
        lines = (f"{path}: {key}: {reason}" if key else f"{path}: {reason}" for key, reason in errors)
        super().__init__("\n".join(lines))


def load(path: Path | str, environ: Mapping[str, str] | None = None) -> Config:
    """The configuration in `path`, with the environment over it. Raises ConfigError."""
    path = Path(path)
    values = _parsed(path)
    bad_variables = _overlay(values, os.environ if environ is None else environ)
    try:
        config = Config.model_validate(values)
    except ValidationError as invalid:
        found = invalid.errors(include_input=False, include_url=False)
        told = [_told(dict(error)) for error in found[:MAX_TOLD]]
        if len(found) > MAX_TOLD:
            told.append(("", f"{len(found) - MAX_TOLD} more mistakes"))
        inner = {key.rpartition(".")[0] for key, _ in told}
        told = [(key, reason) for key, reason in told if not (key in inner and reason == _REASONS["too_short"])]
        raise ConfigError(path, bad_variables + told) from None
    if bad_variables:
        raise ConfigError(path, bad_variables)
    config._directory = path.resolve().parent
    return config


def known_keys(model: type[BaseModel], path: tuple[str, ...] = ()) -> Iterator[str]:
    """Every dotted key that may be in the file; NAME stands for a name that the sysadmin chooses."""
    for name, field in model.model_fields.items():
        here = (*path, field.alias or name)
        below = field.annotation
        if get_origin(below) is dict:
            here, below = (*here, "NAME"), get_args(below)[1]
        if isinstance(below, type) and issubclass(below, BaseModel):
            yield from known_keys(below, here)
        else:
            yield ".".join(here)


def _parsed(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_CONFIG_BYTES + 1)
    except FileNotFoundError:
        raise ConfigError(path, [("", "there is no such file: `satmachine init` writes one")]) from None
    except OSError as failed:
        raise ConfigError(path, [("", f"can't be read: {failed.strerror}")]) from None
    if len(raw) > MAX_CONFIG_BYTES:
        raise ConfigError(path, [("", "is too large for a configuration")])
    crowded = next((number for number, line in enumerate(raw.split(b"\n"), 1) if line.count(b".") > _MAX_DOTS), None)
    if crowded is not None:
        raise ConfigError(path, [("", f"is no configuration: more than {_MAX_DOTS} dots (at line {crowded})")])
    try:
        return tomllib.loads(raw.decode())
    except UnicodeDecodeError as failed:
        line = raw[: failed.start].count(b"\n") + 1
        raise ConfigError(path, [("", f"is not UTF-8 (at line {line})")]) from None
    except tomllib.TOMLDecodeError as broken:
        raise ConfigError(path, [("", f"is no TOML: {broken}")]) from None
    except RecursionError:
        raise ConfigError(path, [("", "is no TOML: nested too deeply")]) from None


def _overlay(values: dict[str, Any], environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Puts what the environment says into `values`; a value in brackets is JSON. What is wrong with variables."""
    errors = []
    for variable in sorted(name for name in environ if name.upper().startswith(ENV_PREFIX)):
        *above, last = variable[len(ENV_PREFIX) :].lower().split("__")
        value: Any = environ[variable]
        if value.lstrip().startswith(("[", "{")):
            with contextlib.suppress(ValueError, RecursionError):  # an address may begin with a bracket, too
                value = json.loads(value)
        table: Any = values
        for name in above:
            table = table.setdefault(name, {}) if isinstance(table, dict) else None
        if isinstance(table, dict) and last:
            table[last] = value
        else:
            errors.append((variable, f"does not name a key: {ENV_PREFIX}SECTION__KEY does"))
    return errors


def _told(error: Mapping[str, Any]) -> tuple[str, str]:
    path = [str(part) for part in error["loc"] if part != "[key]"]
    key = ".".join(path)
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return key, _unknown(path)
    if kind == "value_error":
        reason = str(context["error"])
        inner, colon, rest = reason.partition(": ")
        return (inner, rest) if not key and colon else (key, reason)
    if kind == "literal_error":
        return key, f"must be one of {context['expected']}"
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
        return key, f"must be {bound}"
    return key, _REASONS.get(kind, str(error["msg"]))


@cache
def _known() -> tuple[str, ...]:
    return tuple(known_keys(Config))


def _unknown(path: Sequence[str]) -> str:
    """Names the nearest known key: in the same table if one is alike, else anywhere."""
    known = _known()
    tables = sorted({key.rpartition(".")[0].split(".")[0] for key in known})
    if len(path) == 1:
        near = difflib.get_close_matches(path[0], tables, 1, 0.5)
        if near:
            return f"is unknown: did you mean [{near[0]}]?"
    # The names of wallets are the sysadmin's own.
    plain = [*path[:1], "NAME", *path[2:]] if path[0] == "wallets" and len(path) > 2 else list(path)
    beside = [key for key in known if key.split(".")[:-1] == plain[:-1]]
    last = {key.rpartition(".")[2]: key for key in reversed(known)}
    near = difflib.get_close_matches(plain[-1], [key.rpartition(".")[2] for key in beside], 1, 0.4)
    if near:
        return f"is unknown: did you mean {'.'.join([*path[:-1], near[0]])}?"
    near = difflib.get_close_matches(plain[-1], list(last), 1, 0.0)
    return f"is unknown: the nearest key is {last[near[0]]}" if near else "is unknown"
