"""The tests. Each directory mirrors a package; servers, database and wallets are real, on 127.0.0.1."""
