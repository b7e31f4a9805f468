"""A wallet is taken for one that is known only where everything fits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ledger.decide.attempt import WalletProfile
from nwc.messages import GET_INFO, NodeInfo, parse_answer
from nwc.profile import Looks, Signs, profile_of
from nwc.requests import NIP04, NIP44, WalletInfo, missing_methods
from nwc.trouble import WalletError

METHODS = frozenset({"pay_invoice", "lookup_invoice", "list_transactions", "get_balance", "get_info", "make_invoice"})
KEY = "02" + "ab" * 32


def info(*, nip44: bool = True, names: bool = True, methods: frozenset[str] = METHODS) -> WalletInfo:
    offered = frozenset({NIP04, NIP44} if nip44 else {NIP04})
    return WalletInfo(1, methods, "nip44_v2" if nip44 else "nip04", offered, frozenset(), names)


def node(text: str) -> NodeInfo:
    """What a wallet's answer to `get_info` is read as."""
    read = parse_answer(GET_INFO, '{"result_type": "get_info", "result": {' + text + "}}")
    assert isinstance(read, NodeInfo)
    return read


# What their own code answers.
LNBITS = Signs(
    info(nip44=False, names=False),
    node('"alias": "LNbits", "color": "", "network": "mainnet", "block_height": 0, "block_hash": "", "methods": []'),
    WalletError("INTERNAL", "Payment not found"),
)
HUB_LDK = Signs(
    info(methods=METHODS | {"get_budget"}),
    node(
        f'"alias": "NWC", "color": "#897FFF", "pubkey": "{KEY}", "network": "mainnet", "block_height": 9, "lud16": ""'
    ),
    WalletError("NOT_FOUND", "The transaction requested was not found"),
)
HUB_LND = replace(HUB_LDK, node=node(f'"alias": "bob", "color": "#3399ff", "pubkey": "{KEY}", "block_height": 9'))
assert LNBITS.node is not None
assert HUB_LDK.node is not None


@pytest.mark.parametrize(
    ("signs", "looks", "profile", "repays"),
    [
        (LNBITS, Looks.LNBITS, WalletProfile.LNBITS, False),
        (HUB_LDK, Looks.HUB_LDK, WalletProfile.ALBY_LDK, True),
        (HUB_LND, Looks.HUB, WalletProfile.UNKNOWN, True),
    ],
)
def test_wallets_that_are_known(signs: Signs, looks: Looks, profile: WalletProfile, repays: bool) -> None:
    found = profile_of(signs)
    assert (found.looks, found.profile, found.repays) == (looks, profile, repays)


@pytest.mark.parametrize(
    "signs",
    [
        replace(LNBITS, node=None),
        replace(LNBITS, info=info(nip44=False)),
        replace(LNBITS, node=replace(LNBITS.node, pubkey=KEY)),
        replace(LNBITS, node=replace(LNBITS.node, color="#ffffff")),
        replace(LNBITS, node=replace(LNBITS.node, block_height=840_000)),
        replace(LNBITS, node=replace(LNBITS.node, block_height=None)),
    ],
)
def test_what_is_only_like_lnbits_waits_longest_and_never_pays_an_invoice_again(signs: Signs) -> None:
    found = profile_of(signs)
    assert (found.looks, found.profile, found.repays) == (Looks.LIKE_LNBITS, WalletProfile.UNKNOWN, False)


@pytest.mark.parametrize(
    ("signs", "looks"),
    [
        (replace(LNBITS, not_found=None), Looks.OTHER),
        (replace(LNBITS, not_found=WalletError("INTERNAL", "payment not found")), Looks.OTHER),
        (replace(LNBITS, not_found=WalletError("NOT_FOUND", "Payment not found")), Looks.OTHER),
        (replace(HUB_LDK, not_found=None), Looks.OTHER),
        (replace(HUB_LDK, not_found=WalletError("INTERNAL", "The transaction was not found")), Looks.OTHER),
        (replace(HUB_LDK, node=None), Looks.OTHER),
        (replace(HUB_LDK, info=info()), Looks.OTHER),
        (replace(HUB_LDK, info=info(nip44=False, methods=METHODS | {"get_budget"})), Looks.OTHER),
        (replace(HUB_LDK, node=replace(HUB_LDK.node, alias="NWC (Cashu)")), Looks.HUB),
        (replace(HUB_LDK, node=replace(HUB_LDK.node, color=None)), Looks.HUB),
        (replace(HUB_LDK, node=replace(HUB_LDK.node, pubkey=None)), Looks.HUB),
        (replace(HUB_LDK, node=replace(HUB_LDK.node, pubkey="ark1abc")), Looks.HUB),
    ],
)
def test_what_is_in_doubt_is_unknown(signs: Signs, looks: Looks) -> None:
    found = profile_of(signs)
    assert (found.looks, found.profile, found.repays) == (looks, WalletProfile.UNKNOWN, True)


def test_the_method_may_be_named_by_the_answer_alone() -> None:
    """The info event of some connections lists less than `get_info`."""
    assert HUB_LDK.node is not None
    told = replace(HUB_LDK, info=info(), node=replace(HUB_LDK.node, methods=("get_budget",)))
    assert profile_of(told).looks is Looks.HUB_LDK


def test_what_a_wallet_must_offer() -> None:
    """Without look-ups and lists nobody could say what became of a payment."""
    assert missing_methods(info()) == ()
    lacking = info(methods=METHODS - {"lookup_invoice", "list_transactions", "make_invoice"})
    assert missing_methods(lacking) == ("list_transactions", "lookup_invoice")
