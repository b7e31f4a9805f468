"""Everything about paying: NIP-47 messages and client, evidence, BOLT11, LNURL, targets, guarded HTTP.

Knows neither the database nor any Nostr library: a wire, a cipher and a clock come in as protocols (`nwc.ports`).
"""
