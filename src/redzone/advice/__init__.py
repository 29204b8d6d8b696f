"""What holds a run back, and what to do about it: each with the figure behind it. Pure."""

from redzone.advice.brakes import Advice, Topic
from redzone.advice.hints import HINTS
from redzone.advice.recommend import recommendations

__all__ = ["HINTS", "Advice", "Topic", "recommendations"]
