"""Vision models: one interface, one file per provider."""
