"""One file for each thing that comes in: parse it, load what it touches, let the ledger decide, commit.

A settlement, a beacon, an order, an answer about a payment: each becomes one committed change with everything that it
wants done afterwards. Nothing here reaches the network, waits, or knows a Nostr library: `bot` brings the messages.
"""
