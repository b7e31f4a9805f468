"""The whole bot in a hostile world, in virtual time, from one seed: the same seed gives the same run.

What is real: the daemon with all its workers, handlers and rules, the client of the wallets, the schema with its
triggers. What is played: time, relays, wallets, payees, customers, the operator. What was really paid is known to the
world alone (`lightning.py`), and doubles and losses are counted there.

`python -m tests.simulation --seed 7` runs one; tests/soak/simulation.py runs very many.
"""
