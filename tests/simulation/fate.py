"""What chance sends: customers, troubles, orders, each again and again at random times."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation.wallet import HOUR
from tests.simulation.world import World

REFUSALS = (
    ("INSUFFICIENT_BALANCE", "not enough balance"),
    ("QUOTA_EXCEEDED", "budget used up"),
    ("RATE_LIMITED", "slow down"),
    ("UNAUTHORIZED", "no wallet connected"),
)


class Fate:
    """`legs`: customers come until so many are owed."""

    def __init__(self, world: World, legs: int) -> None:
        self.world = world
        self.legs = legs
        self.over = False
        """Enough customers have come, and some time has passed since."""
        self._counted = False
        scenery = world.scenery
        self._again(scenery.seconds_between_sales, self._sell)
        if scenery.troubles:
            self._again(150 / scenery.troubles, self._trouble)
        if scenery.orders:
            self._again(200 / scenery.orders, self._order)
        if scenery.forget_at is not None:
            world.clockwork.after(scenery.forget_at - 100, self._forget_all)

    def _forget_all(self) -> None:
        clock = self.world.clockwork
        for wallet in self.world.wallets:
            wallet.silent_until = clock.elapsed + 100
            wallet.amnesia_until = clock.elapsed + 1_000_000

    def _again(self, mean_seconds: float, action: Callable[[], None]) -> None:
        clock = self.world.clockwork

        def act() -> None:
            if clock.friendly:
                return
            action()
            clock.after(clock.chance.expovariate(1 / mean_seconds), act)

        clock.after(clock.chance.expovariate(1 / mean_seconds), act)

    def _sell(self) -> None:
        world = self.world
        asleep = world.life is None or not world.life.alive
        if asleep and world.clockwork.chance.random() < 0.9:
            return  # most customers shall meet a bot that is awake
        if len(world.sales) * (3 + len(world.lp_names)) < self.legs:
            world.sell()
        elif not self._counted:
            self._counted = True
            world.clockwork.after(world.scenery.seconds_afterwards, self._end)

    def _end(self) -> None:
        self.over = True

    # --- troubles ----------------------------------------------------------------------------------------------------

    def _trouble(self) -> None:
        world, clock = self.world, self.world.clockwork
        chance = clock.chance
        wallet = chance.choice(world.wallets)
        match chance.randrange(9):
            case 0:
                world.relays_fail(clock.between(5, 400))
            case 1:
                world.wire_fails(wallet, clock.between(2, 300))
            case 2 | 3:
                wallet.refuses = chance.choice(REFUSALS)
                clock.after(clock.between(5, 600), lambda: setattr(wallet, "refuses", None))
            case 4:
                wallet.silent_until = clock.elapsed + clock.between(5, 900)
            case 5 | 6:
                payee = chance.choice(list(world.payees.by_name.values()))
                payee.down_until = clock.elapsed + clock.between(5, 600)
            case 7:
                wallet.amnesia_until = clock.elapsed + clock.between(30, 1_200)
            case 8 if chance.random() < 0.2:
                offset = chance.choice((-86_400, -HOUR, -200, 200, HOUR, 86_400))
                world.set_clock(offset, clock.between(5, 300))

    # --- orders ------------------------------------------------------------------------------------------------------

    def _order(self) -> None:
        world, clock = self.world, self.world.clockwork
        chance = clock.chance
        machine = chance.choice(world.machines).name
        lp = chance.choice(world.lp_names)
        match chance.randrange(12):
            case 0:
                world.order("pause")
                clock.after(clock.between(5, 300), lambda: world.order("resume"))
            case 1:
                world.order("pause", machine=machine)
                clock.after(clock.between(5, 300), lambda: world.order("resume", machine=machine))
            case 2:
                world.order("target.freeze", lp=lp)
                clock.after(clock.between(5, 300), lambda: world.order("target.unfreeze", lp=lp))
            case 3 | 4:
                self.release()
            case 5 | 6:
                self.retry()
            case 7:
                world.order("deposit.add", machine=machine, lp=lp, amount="1000.00")
                self._confirm_deposits()
            case 8:
                world.order("lp.settle", machine=machine, lp=lp, rate=str(50), amount="20.00")
            case 9:
                self._correct()
            case 10:
                world.order("worklist", threshold_minutes=0)
            case 11:
                world.order("resume")

    def release(self) -> None:
        """The operator gives up a payment in doubt, now and then with a slip in the hash, often too early."""
        world, chance = self.world, self.world.clockwork.chance
        rows = world.books.rows(
            "SELECT leg_id, payment_hash FROM attempts WHERE state IN ('sent', 'claimed')"
            " ORDER BY payment_hash LIMIT 20"
        )
        if not rows:
            return
        row = chance.choice(rows)
        right = chance.random() < 0.7
        end = row["payment_hash"][-8:] if right else "00000000"
        if right:
            world.released.add(row["payment_hash"])
        world.order("payment.release", payment=f"P{row['leg_id']}", hash_end=end, reason="it never arrives")

    def retry(self) -> None:
        for row in self.world.books.rows("SELECT id FROM settlements WHERE status = 'errored' ORDER BY id LIMIT 10"):
            self.world.order("settlement.retry", settlement=f"S{row['id']}")

    def _confirm_deposits(self) -> None:
        for row in self.world.books.rows("SELECT id FROM deposits WHERE status = 'pending' ORDER BY id LIMIT 5"):
            self.world.order("deposit.confirm", deposit=f"D{row['id']}")

    def _correct(self) -> None:
        """Cash that did not come out: scaled, paid back, or taken from its worker."""
        world, chance = self.world, self.world.clockwork.chance
        last = world.books.value("SELECT max(id) FROM settlements")
        if last is None:
            return
        settlement = f"S{chance.randrange(max(1, last - 8), last + 1)}"
        match chance.randrange(3):
            case 0:
                world.order("settlement.partial", settlement=settlement, fraction="0.5", note="half of it")
            case 1:
                payee = world.payees.by_name["lp0"].address
                world.order("settlement.refund", settlement=settlement, target=payee, note="paid back")
            case 2:
                world.order("settlement.reset", settlement=settlement, threshold_minutes=0)
