"""A machine as the bot meets it: its cash, its memory, what it says and hears.

The demo and `satmachine atm` play one with this; the bot itself uses none of it.
"""
