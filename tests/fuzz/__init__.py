"""Every parser of foreign bytes, with bytes that it should not like."""
