"""The process: command line, configuration, secrets, relays, workers, and the demo that runs all of it on one machine.

Here the decisions of the other packages meet the world: keys, sockets, signals, the clock. It wires and supervises and
holds no rule of money. Nobody imports it. Of its modules only `nostr`, `relays` and `demo.relay` know the Nostr
library.
"""
