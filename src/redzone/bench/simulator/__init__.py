"""Posters and a vision API on loopback, to test and measure against without a bill."""
