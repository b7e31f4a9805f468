"""The rules of money: fees, sharing, legs, states, journal, balances, decisions, invariants.

Pure functions over frozen dataclasses: the same input gives the same answer, anywhere and at any time. No clock, no
chance, no async, no logging, no input or output, no third-party import. What is not a rule of money belongs elsewhere.
"""
