"""A direct message is an order: when this has run, it has been acted on once for ever, and its answer waits to be sent.

All of it happens in the one transaction that the message is taken in: the effect, its line in the audit log, the record
that this message was acted on, and the answer. A refusal undoes the effect and becomes the answer.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any, Final

from handlers import commands, money_orders, replies
from handlers.commands import registry
from handlers.commands.grammar import bind
from handlers.commands.paging import MAX_ANSWER_BYTES, MAX_ROWS_IN_TEXT, Listing, Paged, parts, written_bytes
from handlers.commands.registry import Command
from handlers.context import Answer, Ask, Context, Live, Message, Question, Settings
from handlers.envelope import Envelope, open_envelope
from handlers.roles import Role, roles_of
from handlers.roles import people as people_with
from ledger.errors import Code, Refusal
from storage import journal, orders, outbox, people
from storage.db import Tx
from storage.errors import is_broken

__all__ = ["MAX_ANSWER_BYTES", "Message", "commands", "handle"]

_NEXT_BYTES: Final = 120
MAX_AHEAD_SECONDS: Final = 120
ORDERS_A_MINUTE: Final = 600
STRANGERS_A_MINUTE: Final = 10
_BRAKES: Final = frozenset({"pause", "target freeze"})
_NOT_KEPT: Final = frozenset({Code.STALE, Code.RATE_LIMITED, Code.CONFIRM_REQUIRED, Code.INTERNAL})
"""Refusals after which the same order under the same id may be given again: nothing was decided on it."""


@dataclass(frozen=True, slots=True)
class _Reply:
    """What came of an order."""

    text: str
    method: str
    refusal: Refusal | None = None
    bug: Exception | None = None


def handle(
    tx: Tx, message: Message, settings: Settings, live: Live, now: int, answer: Answer | None = None
) -> Exception | None:
    """Acts on an authenticated direct message, once for ever, and puts the answer into the outbox.

    Returns the error where there was a bug: its order was undone and answered `internal`; the caller logs it. Raises
    Ask where something must be found out first: the transaction is to be undone, and the message handled again with
    the `answer`.
    """
    if orders.acted_on(tx, message.id):
        return None
    if message.sender == settings.bot_pubkey and orders.is_own_message(tx, message.sender, message.text):
        return None
    operators = settings.operators | {settings.bot_pubkey}
    roles = roles_of(tx, message.sender, operators=operators, platforms=settings.platforms)
    envelope = open_envelope(message.text)
    ctx = Context(tx, now, settings, live, message, roles, answer=answer, in_json=envelope.json)
    if not roles:
        return _of_stranger(ctx, envelope)
    _note_language(ctx, envelope)
    if orders.count_order(tx, message.sender, now) > ORDERS_A_MINUTE:
        refusal = Refusal(Code.RATE_LIMITED, "more than {most} orders in a minute: wait a minute", most=ORDERS_A_MINUTE)
        limited = _Reply(_error(ctx, envelope, refusal), "", refusal)
        _keep(ctx, envelope, limited, repeated=False)
        _send(ctx, envelope, limited.text)
        return None
    said = _again(ctx, envelope)
    repeated = said is not None
    if said is None:
        said = _perform(ctx, envelope)
    _keep(ctx, envelope, said, repeated=repeated)
    _send(ctx, envelope, said.text)
    return said.bug


def is_brake(text: str) -> bool:
    """Whether a message asks that less be paid."""
    envelope = open_envelope(text)
    try:
        command = registry.by_method(envelope.method, ()) if envelope.json else registry.by_words(envelope.words, ())[0]
    except Refusal:
        return False
    return command.name in _BRAKES


def _of_stranger(ctx: Context, envelope: Envelope) -> Exception | None:
    """Somebody without a role may join, and gets one answer a day to everything else. Old messages get none."""
    if _stale(ctx):
        return None
    if _is_join(envelope):
        if orders.count_order(ctx.tx, ctx.sender, ctx.now) > STRANGERS_A_MINUTE:
            return None
    elif not orders.stranger_may_be_answered(ctx.tx, ctx.sender, ctx.now):
        return None
    said = _again(ctx, envelope)
    repeated = said is not None
    if said is None:
        said = _perform(ctx, envelope)
    if said.refusal is None:
        _keep(ctx, envelope, said, repeated=repeated)
    _send(ctx, envelope, said.text)
    return said.bug


def _is_join(envelope: Envelope) -> bool:
    if envelope.json:
        return envelope.method == "join"
    join = registry.get("join")
    return join is not None and _first_word(envelope) in (join.name, *join.short)


def _first_word(envelope: Envelope) -> str:
    """What an order in text begins with, as short forms are written."""
    return registry.plain_word(envelope.words[0]) if envelope.words and envelope.words[0].key is None else ""


def _language(ctx: Context, envelope: Envelope) -> str:
    """The one that the sender chose; before that the one in which the order begins."""
    chosen = people.chosen_language(ctx.tx, ctx.sender)
    return chosen or replies.language_of(_first_word(envelope)) or people.DEFAULT_LANGUAGE


def _note_language(ctx: Context, envelope: Envelope) -> None:
    """Somebody with a role who begins in a language is answered in it from then on, until another one is chosen."""
    spoken = replies.language_of(_first_word(envelope))
    if spoken is not None and people.chosen_language(ctx.tx, ctx.sender) is None:
        people.set_language(ctx.tx, ctx.sender, spoken)


def _stale(ctx: Context) -> bool:
    age = ctx.now - ctx.message.said_at
    return age > ctx.settings.order_max_age_seconds or age < -MAX_AHEAD_SECONDS


def _again(ctx: Context, envelope: Envelope) -> _Reply | None:
    """The answer to an order that this sender gave before under the same id; `conflict` where it was another order."""
    if envelope.key is None or not envelope.digest:
        return None
    kept = orders.by_order_id(ctx.tx, ctx.sender, envelope.key)
    if kept is None:
        return None
    if kept.digest == envelope.digest:
        return _Reply(kept.answer, envelope.method)
    refusal = Refusal(Code.CONFLICT, "this id was used for another order: give each order its own id", field="id")
    return _Reply(_error(ctx, envelope, refusal), envelope.method, refusal)


def _perform(ctx: Context, envelope: Envelope) -> _Reply:
    """Runs the order so that it is done wholly or not at all, its answer included."""
    command: Command | None = None
    values: dict[str, Any] = {}
    try:
        if envelope.refusal is not None:
            raise envelope.refusal
        command, values = _command(ctx, envelope)
        with orders.undone_on_error(ctx.tx):
            return _Reply(_run(ctx, envelope, command, values), command.name)
    except Refusal as refusal:
        if command is not None and ctx.roles and (refusal.order or command.preview is not None):
            _record_refused(ctx, refusal.order or command.name, refusal)
        if refusal.order is not None:
            money_orders.use_up(ctx, values)
        return _Reply(_error(ctx, envelope, refusal), command.name if command else "", refusal)
    except Ask:
        raise
    except Exception as error:  # a bug in one order must not stop the others; the caller logs it
        if is_broken(error):
            raise
        failed = Refusal(Code.INTERNAL, "that went wrong here, nothing was done: look at the log, try again later")
        return _Reply(_error(ctx, envelope, failed), command.name if command else "", failed, error)


def _command(ctx: Context, envelope: Envelope) -> tuple[Command, dict[str, Any]]:
    """Which command it is, and its parameters as they were given."""
    if envelope.json:
        return registry.by_method(envelope.method, ctx.roles), envelope.params
    command, following = registry.by_words(envelope.words, ctx.roles)
    return command, dict(bind(following, command.places, command.rest, command.params.model_fields))


def _run(ctx: Context, envelope: Envelope, command: Command, values: dict[str, Any]) -> str:
    if not command.allowed(ctx.roles):
        raise Refusal(
            Code.FORBIDDEN,
            "{command} is for {who}: say help for what you can do here",
            command=command.name,
            who=people_with(command.roles),
        )
    if command.changes and _stale(ctx):
        raise Refusal(Code.STALE, "this message comes too late, or from a clock that is wrong: send it again")
    inner = replace(ctx, command=command.name)
    params = command.parse(values)
    if isinstance(params, Paged) and not envelope.json:
        params = params.model_copy(update={"limit": min(params.limit, MAX_ROWS_IN_TEXT)})  # what people read at a time
    if command.apart:
        return _result(ctx, envelope, command, _run_apart(inner, command, params))
    preview = command.preview(inner, params) if command.preview is not None else None
    if preview is None or envelope.confirm:
        result = command.run(inner, params)
    elif envelope.json:
        raise Refusal(
            Code.CONFIRM_REQUIRED,
            'this moves money or decides where it goes: look at the preview, send it again with "confirm": true',
            extra={"preview": preview},
        )
    else:
        result = money_orders.offer(inner, command, values, preview, changed=False)
    return _result(ctx, envelope, command, result)


def _run_apart(ctx: Context, command: Command, params: Any) -> dict[str, Any]:
    """What the command says on a snapshot of its own."""

    def read(tx: Tx) -> tuple[dict[str, Any], frozenset[Role]]:
        return command.run(replace(ctx, tx=tx), params), ctx.roles

    result, roles = ctx.ask(Question("read", read=read))
    if roles != ctx.roles:  # what was read may be more than this sender may see by now
        raise Refusal(Code.FORBIDDEN, "what you may do here has just changed: send it again")
    found: dict[str, Any] = result
    return found


def _record_refused(ctx: Context, command: str, refusal: Refusal) -> None:
    if refusal.code in (Code.CONFIRM_REQUIRED, Code.STALE):
        return
    after = {"refused": refusal.code.value, "field": refusal.field}
    journal.record(ctx.tx, at=ctx.now, who=ctx.sender, command=command, target=None, after=after)


def _keep(ctx: Context, envelope: Envelope, answer: _Reply, *, repeated: bool) -> None:
    """This message is never acted on again; under its sender's id the answer can be had again. Not so where a question
    found no answer: a copy of the same order may have one."""
    refusal = answer.refusal
    found_out = ctx.answer is not None and refusal is ctx.answer.value
    free = repeated or found_out or (refusal is not None and refusal.code in _NOT_KEPT)
    orders.keep(
        ctx.tx,
        rumor_id=ctx.message.id,
        sender=ctx.sender,
        order_id=None if free or not envelope.digest else envelope.key,
        digest=envelope.digest,
        method=answer.method[:64],
        answer=answer.text,
        now=ctx.now,
    )


def _send(ctx: Context, envelope: Envelope, text: str) -> None:
    """An answer in text that is too long for one message goes in numbered parts."""
    message = ctx.message
    for part in [text] if envelope.json else parts(text, MAX_ANSWER_BYTES):
        outbox.put_dm(
            ctx.tx,
            to=message.sender,
            text=part,
            answers=message.id,
            signed=message.signed,
            now=ctx.now,
            stranger=not ctx.roles,
        )


def _result(ctx: Context, envelope: Envelope, command: Command, result: dict[str, Any]) -> str:
    if envelope.json:
        return _fitting(envelope, result)
    wording = result.wording if isinstance(result, money_orders.Told) else command.name
    return replies.render(wording, result, _language(ctx, envelope))


def _error(ctx: Context, envelope: Envelope, refusal: Refusal) -> str:
    if not envelope.json:
        return replies.render_refusal(refusal, _language(ctx, envelope))
    error: dict[str, Any] = {"code": refusal.code.value, "message": refusal.message}
    if refusal.field is not None:
        error["field"] = refusal.field
    return _json({"id": envelope.order_id, "error": {**refusal.extra, **error}})


def _fitting(envelope: Envelope, result: dict[str, Any]) -> str:
    """The answer in JSON, with fewer items where all of them would not fit a message."""
    text = _json({"id": envelope.order_id, "result": result})
    over = written_bytes(text) - MAX_ANSWER_BYTES
    if over <= 0:
        return text
    if isinstance(result, Listing):
        result.shortened(MAX_ANSWER_BYTES - 1_000)
    else:
        _shorten_longest(result, over)
    return _json({"id": envelope.order_id, "result": result})


def _shorten_longest(result: dict[str, Any], over: int) -> None:
    """Cuts the longest lists of one thing's story from their end; `next` says from which id on something is missing."""
    lists = {key: value for key, value in result.items() if isinstance(value, list) and value}
    sizes = {key: [written_bytes(_json(item)) for item in value] for key, value in lists.items()}
    lengths = {key: sum(found) for key, found in sizes.items()}
    over += _NEXT_BYTES
    while over > 0 and any(lengths.values()):
        longest = max(lengths, key=lambda key: lengths[key])
        size = sizes[longest].pop()
        lengths[longest] -= size
        dropped = lists[longest].pop()
        result["next"] = dropped.get("id", longest) if isinstance(dropped, dict) else longest
        over -= size - 1


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
