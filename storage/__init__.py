"""The SQLite database: migrations, snapshots to decide upon, the commit, inbox and outbox, attempts, reports, backup.

The only package that knows `aiosqlite` and `sqlite3`. It keeps what the ledger decided and repeats the invariants as
constraints, but holds no rule of money of its own, and it knows nothing of wallets or relays.
"""
