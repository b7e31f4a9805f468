"""Payments and their attempts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from handlers.replies.plain import Wording, lines, listed, moment, sats, shown


def line(leg: Mapping[str, Any]) -> str:
    """`P40 dca 50,000 sats to ana: failed, the target does not answer`."""
    reason = f", {shown(leg['reason'], 80)}" if leg["reason"] else ""
    return f"{leg['id']} {leg['type']} {sats(leg['amount_sats'])} to {leg['label']}: {leg['status']}{reason}"


def _list(result: Mapping[str, Any]) -> str:
    if not result["items"]:
        return "No payment here."
    following = f"Older ones: payment list before={result['next']}" if result["next"] else None
    return listed("Payments:", [line(each) for each in result["items"]], following, "One of them: show P…")


_STEPS: Final = {
    "retry_by_operator": "It waits for you: retry {settlement}",
    "send": "An invoice is there; the wallet is asked to pay it next.",
    "ask_wallet": "The wallet is asked what became of it, next at {at} UTC. Nothing is paid again before.",
    "look_for_proof": "The wallet says paid, without proof: it is never paid again, proof is looked for at {at} UTC.",
    "wait_for_resume": "It waits: payments are paused. To go on: resume",
    "wait_for_wallet": "It waits: the wallet can't pay now. Say status.",
    "wait_for_unfreeze": "It waits: the payee is frozen.",
    "get_invoice": "The payee is asked for an invoice at {at} UTC.",
}


def _attempt(each: Mapping[str, Any]) -> str:
    last = each["evidence"][-1] if each["evidence"] else None
    said = (
        f", last word: {last['class'].replace('_', ' ')} ({last['source']}) {moment(last['received_at'])}"
        if last
        else ""
    )
    return f"Attempt …{each['payment_hash'][-8:]}: {each['state']}, sent {moment(each['sent_at'])}{said}"


def _show(result: Mapping[str, Any]) -> str:
    step = _STEPS.get(result["next"]["step"])
    following = None
    if step is not None and not (result["settlement"] is None and "{settlement}" in step):
        following = step.format(at=moment(result["next"]["at"]), settlement=result["settlement"])
    attempts = result["attempts"]
    return lines(
        [
            line(result),
            f"Of {result['settlement']}, {result['machine']}" if result["settlement"] else result["machine"],
            f"Paid to {result['to']}" if result["to"] else None,
            f"Completed {moment(result['completed_at'])} UTC" if result["completed_at"] else None,
            f"{len(attempts) - 5} earlier attempts" if len(attempts) > 5 else None,
            *[_attempt(each) for each in attempts[-5:]],
            f"Preimage {result['preimage']}" if result["preimage"] else None,
            following,
        ]
    )


TEXTS: Final[dict[str, Wording]] = {
    "payment list": _list,
    "payment show": _show,
}
