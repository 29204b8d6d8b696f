"""The version, where every module can read it."""

# a literal: asking the installed package costs 0.1 s at every start
__version__ = "0.1.0"
