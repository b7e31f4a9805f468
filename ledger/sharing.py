"""Sharing integers so that they add up exactly: largest remainder, ties by order, caps by balance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from ledger.money import fiat_to_sats_floor, sats_to_fiat


def largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """Shares of `total` in proportion to `weights`, adding up to `total`; ties go to the earlier weight."""
    if total < 0 or any(weight < 0 for weight in weights):
        raise ValueError("largest_remainder shares non-negative integers only")
    whole = sum(weights)
    if whole == 0:
        if total:
            raise ValueError("nothing to share the total among: all weights are 0")
        return [0] * len(weights)
    shares = [total * weight // whole for weight in weights]
    rest = total - sum(shares)
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for index in by_remainder[:rest]:
        shares[index] += 1
    assert sum(shares) == total
    return shares


@dataclass(frozen=True, slots=True)
class LpShare:
    lp_id: int
    sats: int
    fiat_minor: int


@dataclass(frozen=True, slots=True)
class LpShares:
    shares: tuple[LpShare, ...]
    remainder_sats: int
    """What no balance could take."""


def share_principal(
    principal_sats: int, available: Sequence[tuple[int, int]], currency: str, rate: Decimal
) -> LpShares:
    """Shares the principal among LPs in proportion to what each has available.

    `available` is (LP id, minor units) in a fixed order; `rate` is sats per unit of fiat. Nobody gets more than
    `floor(available * rate)` sats; a share's fiat is its worth at the rate, half to even, at most what is available
    and all of it where the cap binds. A share of 0 sats is none.
    """
    caps = [fiat_to_sats_floor(minor, currency, rate) for _, minor in available]
    room = sum(caps)
    if room <= principal_sats:
        sats = caps
    else:
        sats = _fill_to_caps(principal_sats, [minor for _, minor in available], caps)
    shares = []
    for (lp_id, minor), share, cap in zip(available, sats, caps, strict=True):
        if share == 0:
            continue
        worth = minor if share == cap else min(minor, sats_to_fiat(share, currency, rate))
        shares.append(LpShare(lp_id, share, worth))
    remainder = principal_sats - sum(share.sats for share in shares)
    assert remainder >= 0
    return LpShares(tuple(shares), remainder)


def _fill_to_caps(total: int, weights: Sequence[int], caps: Sequence[int]) -> list[int]:
    """Largest remainder over whoever is below its cap. There is room for all of `total`, so no whole share is over its
    cap; a sat of the rest that a cap would refuse goes to the next largest remainder."""
    whole = sum(weights)
    shares = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    rest = total - sum(shares)
    while rest:
        for index in by_remainder:
            if rest and shares[index] < caps[index]:
                shares[index] += 1
                rest -= 1
    return shares
