"""The world around the bot on one machine: a relay, a Lightning network, wallets, Lightning addresses.

All of it is real: events over a relay, signed invoices, msat that move between accounts. Only the coins are not.
"""
