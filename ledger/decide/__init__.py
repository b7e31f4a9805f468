"""Decisions: each file takes frozen facts and answers with what shall be true. One file per verb, all pure."""
