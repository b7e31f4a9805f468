"""Alarms of the whole bot: over a real relay to the operator, over real HTTP to a service, raised and cleared."""

from __future__ import annotations

import pytest

from storage import wallets
from tests.bot.paying.running import Start
from tests.bot.paying.talking import ask
from tests.bot.test_alerts import PASSWORD, served
from tests.crash.shop import until

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_wallet_that_runs_low_is_told_to_the_operator_and_to_a_service(start: Start) -> None:
    with served() as site:
        async with start() as bot:
            pass
        path = bot.shop.config_path
        path.write_text(f'{path.read_text()}\n[alerts]\nurls = ["{site.url}"]\nwallet_low_sats = 1000000\n')
        async with bot.again() as again:
            parts = again.daemon._parts
            assert parts is not None
            await again.seen("SELECT 1 FROM wallets WHERE balance_msat IS NOT NULL")
            await parts.watchman.look()

            async def heard() -> bool:
                return any(text.startswith("Wallet main is low: ") for text in site.texts)

            await until(heard, "the service is told")
            assert any(text.startswith("Wallet main is low: ") for text in await again.told())
            (item,) = (await ask(again, "alarm.list"))["result"]["items"]
            assert (item["cause"], item["subject"]) == ("wallet_low", "wallet:main")
            assert (await ask(again, "status"))["result"]["alarms"] == 1
            assert again.daemon.db is not None
            await again.daemon.db.write(lambda tx: wallets.set_balance(tx, "main", 10**12, again.clock.now()))
            await parts.watchman.look()

            async def over() -> bool:
                return any(text.startswith("Over: Wallet main is low: ") for text in site.texts)

            await until(over, "the end is told, too")
            assert again.rows("SELECT cause FROM alarms WHERE cleared_at IS NULL") == []
            assert again.rows("SELECT 1 FROM alerts") == []
            assert PASSWORD not in "".join(str(row) for row in again.rows("SELECT value FROM meta"))
