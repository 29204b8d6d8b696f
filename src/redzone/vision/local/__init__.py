"""The embedded model: two small networks and a rule, on this machine."""
