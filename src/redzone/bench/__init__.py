"""The bench: a simulator of posters and model on loopback, and what is measured against it."""
