"""Every run tries the same examples: what fails once fails again. `make soak` searches for new ones instead."""

from hypothesis import settings

settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.register_profile("searching", deadline=None, print_blob=True)
settings.load_profile("repeatable")  # pytest --hypothesis-profile=searching overrides it
