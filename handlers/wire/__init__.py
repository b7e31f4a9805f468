"""The codecs of our events: foreign JSON in, checked facts out, and back. No database, no network."""
