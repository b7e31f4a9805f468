"""What can go wrong between us and a wallet. All of it is transient: tried again, and never read as "not paid"."""

from __future__ import annotations


class WalletTrouble(Exception):
    """The wallet could not be asked, or gave no usable answer. Says nothing about any payment."""


class WalletNotReady(WalletTrouble):
    """The wallet's info event (kind 13194) is not known yet, or names no encryption that we speak."""


class WalletSilent(WalletTrouble):
    """No answer within the time given."""


class WalletGarbled(WalletTrouble):
    """Only answers came that can't be read."""


class WalletError(WalletTrouble):
    """The wallet answered with an error. `code` as the wallet gave it (NIP-47 or not), `message` made fit to show."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
