"""The counters of a run, published every second and logged in its folder."""
