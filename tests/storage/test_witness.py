"""The file beside the database: what it tells is on the disk, and a line that is not as it was written is noticed."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from storage.db import Database, Tx, witness_path
from storage.errors import StorageBroken
from storage.witness import Fact, Mark, Request, Trust, Witness

MARK = Mark(3, "aa", 2, "bb", 1_790_000_000)


def fact(number: int) -> Fact:
    return Fact(
        payment_hash=f"{number:064x}",
        leg=number,
        settlement=None,
        type="dca",
        payee="ab" * 16,
        wallet="main",
        invoice="lnbcrt1",
        amount_msat=1_000,
        payee_key=None,
        created_at=1_790_000_000,
        expires_at=1_790_003_600,
        verify_url=None,
        request=Request(f"{number + 1_000:064x}", "{}", 1_790_000_000, 1_790_000_600),
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = Witness(tmp_path / "books.db.witness")
    for number in range(4):
        written.write([fact(number)], replace(MARK, journal=number))
    written.close()
    return tmp_path / "books.db.witness"


def read(path: Path) -> tuple[Trust, list[int]]:
    witness = Witness(path)
    return witness.trust, [each.leg for each in witness.facts()]


def test_what_was_written_is_read_again(path: Path) -> None:
    witness = Witness(path)
    assert list(witness.facts()) == [fact(number) for number in range(4)]
    assert (witness.trust, witness.mark) == (Trust.GOOD, replace(MARK, journal=3))
    assert witness.hashes == {fact(number).payment_hash for number in range(4)}
    assert path.stat().st_mode & 0o777 == 0o600


def test_it_goes_on_where_it_was(path: Path) -> None:
    witness = Witness(path)
    before = path.stat().st_size
    witness.write([fact(2)], witness.mark)  # nothing new
    assert path.stat().st_size == before
    witness.write([fact(4), fact(4)], None)
    witness.close()
    assert read(path) == (Trust.GOOD, [0, 1, 2, 3, 4])


def test_none_and_an_empty_one_are_no_witness(tmp_path: Path) -> None:
    assert read(tmp_path / "none") == (Trust.NONE, [])
    (tmp_path / "empty").touch()
    assert read(tmp_path / "empty") == (Trust.NONE, [])


def test_a_torn_last_line_is_what_a_crash_leaves(path: Path) -> None:
    """Cut at any byte of the last line: the lines before stand, and the next ones follow them."""
    whole = path.read_bytes()
    last = whole[:-1].rindex(b"\n") + 1
    for cut in range(last, len(whole), 37):
        path.write_bytes(whole[:cut])
        witness = Witness(path)
        assert witness.trust is Trust.GOOD
        witness.write([fact(7)], None)
        witness.close()
        assert read(path) == (Trust.GOOD, [0, 1, 2, 3, 7])


def test_a_flipped_byte_anywhere_is_noticed(path: Path) -> None:
    """And costs no more than the line that it is in."""
    whole = path.read_bytes()
    for place in range(0, len(whole) - 1, 53):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        trust, facts = read(path)
        assert trust is Trust.DAMAGED
        assert len(facts) >= 2


@pytest.mark.parametrize("number", range(7))
def test_a_line_that_was_taken_out_is_noticed(path: Path, number: int) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:number] + lines[number + 1 :]))
    assert read(path)[0] is Trust.DAMAGED


def test_a_damaged_one_is_mended_by_the_next_line(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"leg":1,', b'"leg":9,'))
    witness = Witness(path)
    assert witness.trust is Trust.DAMAGED
    witness.write([fact(5)], MARK)
    witness.close()
    assert read(path) == (Trust.GOOD, [0, 2, 3, 5])
    [kept] = path.parent.glob("*.damaged-*")  # for whoever wants to know what it said
    assert b'"leg":9,' in kept.read_bytes()
    assert kept.stat().st_mode & 0o777 == 0o600


def test_rewriting_leaves_out_what_is_over_in_one_step(path: Path) -> None:
    witness = Witness(path)
    witness.rewrite(lambda payment_hash: payment_hash != fact(1).payment_hash)
    witness.write([fact(6)], None)
    witness.close()
    again = Witness(path)
    assert read(path) == (Trust.GOOD, [0, 2, 3, 6])
    assert again.mark == replace(MARK, journal=3)
    assert sorted(each.name for each in path.parent.iterdir()) == [path.name]


# --- with the database ------------------------------------------------------------------------------------------------


def leaves(number: int, *, refused: bool = False) -> Callable[[Tx], None]:
    def work(tx: Tx) -> None:
        tx.leaving.append(fact(number))
        if refused:
            raise ValueError("no")

    return work


async def test_nothing_is_told_of_a_commit_before_the_witness_has_it(tmp_path: Path) -> None:
    db = await Database.open(tmp_path / "books.db")
    await db.write(leaves(1))
    with pytest.raises(ValueError, match="no"):
        await db.write(leaves(2, refused=True))
    assert read(witness_path(db.path)) == (Trust.GOOD, [1])
    await db.close()


async def test_a_witness_that_can_not_be_written_stops_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit stands, and nobody acts on it: the next start tells the witness, and goes on."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    db = await Database.open(tmp_path / "books.db")
    monkeypatch.setattr(os, "fdatasync", full)
    with pytest.raises(StorageBroken, match="witness"):
        await db.write(leaves(1))
    assert db.failed.done()
    with pytest.raises(StorageBroken):
        await db.write(lambda tx: None)
    monkeypatch.undo()
    await db.close()
    assert read(witness_path(db.path)) == (Trust.NONE, [])


def test_after_a_line_that_failed_none_is_added(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk was full for a moment: what is not in the witness has not left, and no half of it stands there."""
    witness, before = Witness(path), path.read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fdatasync", full)
    with pytest.raises(OSError, match="No space"):
        witness.write([fact(7)], None)
    monkeypatch.undo()
    with pytest.raises(OSError, match="an earlier line"):
        witness.write([fact(8)], None)
    witness.close()
    assert path.read_bytes() == before
