"""Every command, declared once: its name, who may use it, its parameters, whether it moves money, and its function.

Text grammar, JSON form, help, near misses and the reference in the docs all come out of these declarations.

    @command("deposit add", roles=OPERATOR, changes=True, places=("machine", "lp", "amount"), rest="note",
             short=("deposit",), example="deposit sintra ana 2000")
    def deposit_add(ctx: Context, params: DepositAdd) -> dict[str, Any]:
        \"\"\"Records fiat that an LP brings.\"\"\"
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar, get_type_hints

from pydantic import BaseModel, ValidationError

from handlers.commands.fields import Params
from handlers.commands.grammar import Token
from handlers.commands.meanings import meaning
from handlers.context import Context
from handlers.replies.plain import shown
from handlers.roles import Role
from ledger.errors import Code, Refusal, said

P = TypeVar("P", bound=Params)
Result = dict[str, Any]
Preview = Callable[[Context, Any], Result | None]


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    roles: frozenset[Role]
    """Who may use it; empty: anybody."""
    params: type[Params]
    run: Callable[[Context, Any], Result]
    preview: Preview | None
    """Of a money order: everything that is checked, and what would happen. None from it: no money order this time."""
    changes: bool
    """Whether it changes anything: a stale one is then refused."""
    apart: bool
    """Whether it reads so much that it is run on a snapshot of its own, so that nothing waits for it."""
    summary: str
    example: str
    short: tuple[str, ...]
    """What people may type for the name. `show S` stands for `show` before an id with that letter."""
    places: tuple[str, ...]
    """The parameters that bare words fill, in this order."""
    rest: str | None
    """The parameter that takes all further words."""

    @property
    def method(self) -> str:
        """The name in JSON."""
        return self.name.replace(" ", ".")

    def allowed(self, roles: Iterable[Role]) -> bool:
        return not self.roles or bool(self.roles.intersection(roles))

    def parse(self, values: dict[str, Any]) -> Params:
        """The checked parameters. Refuses `bad_request`, naming the field."""
        try:
            return self.params.model_validate(values)
        except ValidationError as error:
            raise self._refusal(error) from None

    def _refusal(self, error: ValidationError) -> Refusal:
        first = error.errors(include_url=False, include_context=True, include_input=False)[0]
        name = str(first["loc"][0]) if first["loc"] else None
        if first["type"] == "missing":
            return Refusal(
                Code.BAD_REQUEST, "{field} is missing, for example: {example}", field=name, example=self.example
            )
        if first["type"] == "extra_forbidden":
            near = difflib.get_close_matches(name or "", self.params.model_fields, n=1)
            if near:
                hint = said("do you mean {name}?", name=near[0])
            elif self.params.model_fields:
                hint = said("it takes {names}", names=", ".join(self.params.model_fields))
            else:
                hint = said("it takes none")
            return Refusal(
                Code.BAD_REQUEST,
                "{command} has no parameter {field}: {hint}",
                field=shown(name or ""),
                command=self.name,
                hint=hint,
            )
        if first["type"] == "literal_error":
            choices = ", ".join(re.findall(r"'([^']*)'", first["ctx"]["expected"]))
            return Refusal(Code.BAD_REQUEST, "{field} must be one of: {choices}", field=name, choices=choices)
        return Refusal(
            Code.BAD_REQUEST, "{field} can't be read, for example: {example}", field=name, example=self.example
        )


_COMMANDS: Final[dict[str, Command]] = {}
Function = Callable[[Context, P], Result]


def command(
    name: str,
    *,
    roles: frozenset[Role],
    example: str,
    money: Preview | None = None,
    changes: bool = False,
    apart: bool = False,
    short: Sequence[str] = (),
    places: Sequence[str] = (),
    rest: str | None = None,
) -> Callable[[Function[P]], Function[P]]:
    """Declares the function under it as a command; its docstring's first line is what help says of it."""

    def declare(function: Function[P]) -> Function[P]:
        model = get_type_hints(function)["params"]
        if name in _COMMANDS or not issubclass(model, BaseModel) or not function.__doc__:
            raise AssertionError(f"{name}: declared twice, without a model or without a docstring")
        if apart and (changes or money is not None or not roles):
            raise AssertionError(f"{name}: only what changes nothing, and is not for anybody, can be run apart")
        unknown = {*places, *([rest] if rest else [])} - model.model_fields.keys()
        if unknown:
            raise AssertionError(f"{name}: {unknown} are no parameters")
        _COMMANDS[name] = Command(
            name=name,
            roles=roles,
            params=model,
            run=function,
            preview=money,
            changes=changes or money is not None,
            apart=apart,
            summary=function.__doc__.strip().splitlines()[0],
            example=example,
            short=tuple(short),
            places=tuple(places),
            rest=rest,
        )
        return function

    return declare


def every_command() -> list[Command]:
    return list(_COMMANDS.values())


def get(name: str) -> Command | None:
    return _COMMANDS.get(name)


def by_method(method: str, roles: Iterable[Role]) -> Command:
    """The command that JSON names. Refuses `unknown_command` with the nearest one."""
    found = next((each for each in _COMMANDS.values() if each.method == method), None)
    if found is None:
        raise _unknown(method, [each.method for each in _COMMANDS.values() if each.allowed(roles)])
    return found


def by_words(found: Sequence[Token], roles: Iterable[Role]) -> tuple[Command, Sequence[Token]]:
    """The command that an order in text begins with, and the tokens after its name. Refuses `unknown_command`."""
    words = []
    for token in found[:2]:
        if token.key is not None:
            break
        words.append(plain_word(token))
    for length in (2, 1):
        each = _COMMANDS.get(" ".join(words[:length])) if len(words) >= length else None
        if each is not None:
            return each, found[length:]
    each = _by_short(words, found[1].text if len(words) > 1 else "", roles)
    if each is not None:
        return each, found[1:]
    names = [name for each in _COMMANDS.values() if each.allowed(roles) for name in (each.name, *_short_words(each))]
    raise _unknown(" ".join(words), names)


def plain_word(token: Token) -> str:
    """A word as names and short forms are written, whatever a phone made of it."""
    return token.text.lower().strip(".,!¡?¿/") or token.text


def _by_short(words: Sequence[str], following: str, roles: Iterable[Role]) -> Command | None:
    """Short forms; where several commands share one, an id's letter decides, then what the sender may use."""
    if not words:
        return None
    sharing = [(each, short.split(" ")) for each in _COMMANDS.values() for short in each.short]
    sharing = [(each, parts) for each, parts in sharing if parts[0] == words[0]]
    plain = [each for each, parts in sharing if len(parts) == 1]
    for each, parts in sharing:
        if len(parts) == 2 and following[:1].upper() == parts[1] and following[1:].isdecimal():
            return each
    allowed = [each for each in plain if each.allowed(roles)]
    candidates = allowed or plain or [each for each, _ in sharing]
    return candidates[0] if candidates else None


def _short_words(each: Command) -> set[str]:
    return {short.split(" ")[0] for short in each.short}


def _unknown(wanted: str, names: Sequence[str]) -> Refusal:
    near = difflib.get_close_matches(wanted, names, n=1, cutoff=0.75) or difflib.get_close_matches(
        wanted.partition(" ")[0], names, n=1, cutoff=0.6
    )
    return Refusal(
        Code.UNKNOWN_COMMAND,
        "there is no command “{name}”: {hint}",
        extra={"nearest": near[0]} if near else None,
        name=shown(wanted) or "…",
        hint=said("do you mean “{name}”?", name=near[0]) if near else said("say help for what there is"),
    )


def usage(each: Command) -> list[dict[str, Any]]:
    """The parameters of a command: name, whether it must be given, and what it means."""
    fields = sorted(each.params.model_fields.items(), key=lambda item: item[0] in ("limit", "before"))
    return [
        {"name": name, "required": spec.is_required(), "meaning": meaning(each.name, name)} for name, spec in fields
    ]


def reference_markdown() -> str:
    """The tables of all commands and of what their parameters mean, for docs/commands.md."""
    lines = ["| command | who | parameters | what it does | example |", "|---|---|---|---|---|"]
    for each in sorted(_COMMANDS.values(), key=lambda found: found.name):
        who = ", ".join(sorted(role.value for role in each.roles)) or "anybody"
        params = " ".join(f"`{p['name']}`" if p["required"] else f"`{p['name']}?`" for p in usage(each))
        what = each.summary + (" Money order." if each.preview is not None else "")
        example = each.example.replace("|", "\\|")
        lines.append(f"| `{each.name}` | {who} | {params} | {what} | `{example}` |")
    lines += ["", "| parameter | what it means |", "|---|---|"]
    lines += [f"| `{name}` | {what} |" for name, what in _parameters()]
    return "\n".join(lines) + "\n"


def _parameters() -> list[tuple[str, str]]:
    """Every parameter with its meaning; where one means something else in some command, that too."""
    found: dict[str, dict[str, list[str]]] = {}
    for each in sorted(_COMMANDS.values(), key=lambda command: command.name):
        for parameter in each.params.model_fields:
            found.setdefault(parameter, {}).setdefault(meaning(each.name, parameter), []).append(each.name)
    rows = []
    for parameter, meanings in sorted(found.items()):
        most, *others = sorted(meanings, key=lambda text: -len(meanings[text]))
        special = [f"in {', '.join(f'`{name}`' for name in meanings[text])}: {text}" for text in others]
        rows.append((parameter, "; ".join([most, *special])))
    return rows
