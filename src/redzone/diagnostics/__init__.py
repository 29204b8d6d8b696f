"""Finds what limits a run and suggests what to change, with the figure behind each suggestion. Pure."""

from redzone.diagnostics.bottleneck import Advice, Topic
from redzone.diagnostics.recommendations import HINTS, recommendations

__all__ = ["HINTS", "Advice", "Topic", "recommendations"]
