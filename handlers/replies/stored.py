"""Sentences that the books keep, as English text: why a payment failed, what was wrong with a report.

They are said in another language by finding the template that they were made with. A test holds the templates here
against the places where such sentences are written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from string import Formatter
from typing import Any, Final

from handlers.replies.plain import shown
from handlers.replies.words import Words, phrase

SENTENCES: Final[tuple[str, ...]] = (
    # Why a payment is skipped, failed, put off or voided.
    phrase("the platform has no target"),
    phrase("no split rule is set"),
    phrase("the LPs' balances are used up"),
    phrase("no LP with a balance is there"),
    phrase("replaced by a retry"),
    phrase("replaced by another payout"),
    phrase("scaled to what was dispensed"),
    phrase("the customer is refunded"),
    phrase("given up by the operator"),
    phrase("reset by the operator"),
    phrase("over the cap of {most} sats for one leg"),
    phrase("over the cap of {most} sats a day"),
    phrase("over the cap of {most} sats an hour"),
    phrase("over the cap of {most} sats on the way at once"),
    phrase("the payee gave an invoice that was seen before"),
    phrase("the invoice came too near its expiry before it could be sent"),
    phrase("an attempt ended unpaid"),
    phrase("an attempt was released by the operator"),
    phrase("a fault of this program: its log says more"),
    phrase("the wallet claims that it paid this before, by a payment that was given up"),
    phrase("a payment that these books forgot may be this one: forgotten list"),
    phrase("the transaction was accepted before these books were begun: this may have been paid"),
    # Why a payee gave no invoice that may be paid. First those that quote others, who may say anything.
    phrase("{who} says: {words}"),
    phrase("{wallet} makes no invoice: {why}"),
    phrase("the lud16 in the profile of {npub}: {why}"),
    phrase("{target} is the address of a wallet that we pay from: a payment to ourselves"),
    phrase("{host} can't be reached"),
    phrase("{host} is an onion address: they are not supported"),
    phrase("{host} must be reached by https"),
    phrase("{host} has no address"),
    phrase("{host} has no address that can be found"),
    phrase("{host} has an address that is not public"),
    phrase("{host} redirects: redirects are not followed"),
    phrase("{host} sent a compressed answer that nobody asked for"),
    phrase("{host} sent more than {most} bytes"),
    phrase("{host} took longer than {seconds:g} s"),
    phrase("{host} answered something that is no JSON (HTTP {status})"),
    phrase("{host} broke off ({why})"),
    phrase("the address at {host} has a user name in it"),
    phrase("the address can't be read"),
    phrase("the address is too long"),
    phrase("the address names no host"),
    phrase("the payee takes {least} to {most} sats, not {sats}"),
    phrase("the payee's server names a minimum above its maximum"),
    phrase("{who} answered with something else ({field})"),
    phrase("the profile of {npub} has no Lightning address (lud16)"),
    phrase("the invoice names no amount"),
    phrase("the invoice names {named}, due are {due} msat"),
    phrase("the invoice is for {network}, not {wanted}"),
    phrase("the invoice is for {amount} msat, {due} msat were asked for"),
    phrase("the invoice has expired"),
    phrase("the invoice expires in {left} s"),
    phrase("{what}: {seconds} s are needed"),
    phrase("the invoice may hold the payment for {blocks} blocks after the last hop"),
    phrase("the private route to the payee costs {fee} msat"),
    phrase("the invoice is our own: a payment to ourselves"),
    phrase("everybody knows the preimage of this invoice: it would prove nothing"),
    phrase("the invoice is for no known network, or its amount is malformed"),
    phrase("the invoice asks for a fraction of a millisatoshi"),
    phrase("the invoice asks for more bitcoin than there will ever be"),
    phrase("the invoice is not signed by the payee that it names"),
    phrase("a private route of the invoice is malformed"),
    phrase("the invoice requires features that are not known here: {bits}"),
    phrase("the invoice is cut short"),
    phrase("the invoice has no payment hash"),
    phrase("the invoice has the field {letter} twice"),
    phrase("the number in the field {letter} of the invoice is out of reason"),
    phrase("the signature of the invoice is not valid"),
    phrase("a field of the invoice is cut short"),
    phrase("the invoice can't be read: {why}"),
    phrase("longer than {most} characters"),
    phrase("a letter that bech32 does not have"),
    phrase("upper and lower case are mixed"),
    phrase("no bech32 text"),
    phrase("the checksum does not match: a character is wrong or missing"),
    phrase("the padding is not empty"),
    # What was wrong with a settlement.
    phrase("payment hash {end} came again with other amounts"),
    phrase("machine {machine} is deactivated"),
    phrase("this payment is settlement S{id} of another machine"),
    phrase("this payment is our own, of P{id}: no customer made it"),
    phrase("this payment is our own, from before a restore: no customer made it"),
    phrase("this payment tried a wallet: no customer made it"),
    phrase("this payment lies in wallet {wallet}, not in the machine's own"),
    phrase("the wallet's record names another sender"),
    phrase("the wallet has it with {found} msat, reported were {reported} msat"),
    phrase("in the wallet this payment is {direction}"),
    phrase("{currency} reported, the machine's currency is {fiat}"),
    phrase("amounts and rate must be positive, the fee not negative"),
    phrase("more sats than there are"),
    phrase("more fiat than is taken"),
    phrase("wire is not principal plus fee for cash_out"),
    phrase("wire is not principal less fee for cash_in"),
    phrase("the fee is more than half of the principal"),
    phrase("fiat times rate is too far from the principal"),
    phrase("the fee differs by {off:+,} sats from the fees that are set"),
    # What the worklist says of them.
    phrase("a payment failed: look at it, then retry"),
    phrase("the machine's wallet has not shown the payment"),
    phrase("waits to be shared out"),
    phrase("scaled down, waits to be shared out"),
    phrase("a payment of it is open"),
    phrase("a payment of it is open, and the bot holds all payments: status"),
    phrase("wallet {wallet} is not in the configuration: put its connection back"),
    phrase("its wallet has not said what became of it"),
    phrase("its wallet says paid, without proof"),
    phrase("its wallet can't pay now"),
    phrase("payments to it are stopped"),
    phrase("{direction} payment that no settlement explains"),
    # Why the bot holds all payments.
    phrase("the rule {rule} is broken by {ref}: {detail}"),
    phrase("the database is older than its witness: a backup was restored"),
    phrase("the database has no witness beside it: it may be a restored backup"),
    phrase("the witness of the database is damaged: it may be a restored backup"),
    phrase("the witness is older than the database: both may be restored backups"),
    phrase("a wallet shows a payment of ours that the books don't know: they may be a restored backup"),
    phrase(
        "a relay keeps messages of this bot that the books don't know: they may be a restored backup, or a second bot "
        "has its key"
    ),
    # Whom a payment is for, where no person chose a name.
    phrase("customer of S{id}"),
)


def sentence(w: Words, text: str) -> str:
    """A stored sentence in the reader's language; as it is where nobody foresaw it, such as a wallet's own words."""
    if not w.catalogue:
        return text
    for template, pattern in _patterns():
        match = pattern.fullmatch(text)
        if match:
            values = {name: sentence(w, value) for name, value in match.groupdict().items()}
            return _bare(w.known(template)).format(**values)
    return w.known(text) if text in w.catalogue else text


def first_reason(holds: Sequence[Mapping[str, Any]], w: Words) -> str:
    """Why the bot holds its payments: the oldest of its reasons."""
    return shown(sentence(w, str(holds[0]["reason"])), 140)


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((template, re.compile(_pattern(template), re.DOTALL)) for template in SENTENCES)


def _pattern(template: str) -> str:
    found = ""
    seen: set[str] = set()
    for text, name, _, _ in Formatter().parse(template):
        found += re.escape(text)
        if name:
            found += f"(?P={name})" if name in seen else f"(?P<{name}>.+?)"
            seen.add(name)
    return found


def _bare(template: str) -> str:
    """Without format specifications: what was stored is formatted already."""
    return "".join(
        text.replace("{", "{{").replace("}", "}}") + (f"{{{name}}}" if name else "")
        for text, name, _, _ in Formatter().parse(template)
    )
