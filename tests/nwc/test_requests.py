"""What a wallet's info event says of it, encryption above all."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from nwc.requests import WalletInfo, read_info
from tests.nwc.made import NOW, info_event


@pytest.mark.parametrize(
    ("tags", "encryption", "encryptions", "names_encryption"),
    [
        ([], "nip04", {"nip04"}, False),
        ([["encryption"]], "nip04", {"nip04"}, False),
        ([["encryption", "nip04"]], "nip04", {"nip04"}, True),
        ([["encryption", "nip44_v2"]], "nip44_v2", {"nip44_v2"}, True),
        ([["encryption", "nip44_v2 nip04 nip99"]], "nip44_v2", {"nip44_v2", "nip04"}, True),
        ([["encryption", "nip04", "nip44_v2"]], "nip44_v2", {"nip44_v2", "nip04"}, True),
    ],
)
def test_the_encryptions_that_both_speak(
    tags: Sequence[Sequence[str]], encryption: str, encryptions: set[str], names_encryption: bool
) -> None:
    found = read_info(info_event("pay_invoice get_info", [*tags, ["notifications", "payment_sent other"]]))
    assert found is not None
    assert found == WalletInfo(
        created_at=NOW,
        methods=frozenset({"pay_invoice", "get_info"}),
        encryption="nip44_v2" if encryption == "nip44_v2" else "nip04",
        encryptions=frozenset(encryptions),
        notifications=frozenset({"payment_sent", "other"}),
        names_encryption=names_encryption,
    )


def test_a_wallet_that_speaks_another_language() -> None:
    assert read_info(info_event(tags=[["encryption", "nip99"]])) is None


def test_a_wallet_without_notifications() -> None:
    found = read_info(info_event(tags=[]))
    assert found is not None
    assert found.notifications == frozenset()
