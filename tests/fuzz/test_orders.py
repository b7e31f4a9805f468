"""Ten thousand orders: none is a bug, and every answer is one that may be given."""

from __future__ import annotations

from tests.fuzz.orders import Storm, business, some_json, some_text
from tests.handlers.desk import Desk

EACH = 5_000


async def test_orders_in_text(desk: Desk) -> None:
    await business(desk)
    storm = Storm(desk, some_text, seed=1)
    found = await desk.tx(lambda tx: storm.run(tx, 0, EACH))
    assert not found.finds, str(found.finds[0])
    assert storm.answered > EACH // 2


async def test_orders_in_json(desk: Desk) -> None:
    await business(desk)
    storm = Storm(desk, some_json, seed=1)
    found = await desk.tx(lambda tx: storm.run(tx, 0, EACH))
    assert not found.finds, str(found.finds[0])
    assert storm.answered > EACH // 2
    assert storm.codes >= {
        "result", "bad_request", "forbidden", "not_found", "conflict", "stale", "confirm_required", "bad_state",
        "target_error", "cap_exceeded",
    }  # fmt: skip
