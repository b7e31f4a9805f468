"""What the tests run against: wallets with personalities, hostile servers, peers on node, a world of their own."""
