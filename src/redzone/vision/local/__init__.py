"""The local model: two small networks and a logistic rule, run on this machine."""
