"""redzone finds posters whose badge corner hides their title, logo or face."""

# a literal: asking the installed package costs 0.1 s at every start
__version__ = "0.1.0"
__all__ = ["__version__"]
