"""What holds a run back, and what to do about it: each with the figure behind it. Pure."""

from redzone.diagnostics.bottleneck import Advice, Topic
from redzone.diagnostics.recommendations import HINTS, recommendations

__all__ = ["HINTS", "Advice", "Topic", "recommendations"]
