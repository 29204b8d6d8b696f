"""Stages of a bench: run them, read what happened, say it."""
