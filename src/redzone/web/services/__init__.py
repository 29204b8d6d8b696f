"""What the dashboard holds and does between requests."""
