"""Reading inputs: tables, JSON, lists of URLs and folders become one stream of numbered rows."""

from redzone.inputs.reader import STDIN, Inputs, InputSpec, InputSurvey, open_inputs
from redzone.inputs.stdin import SpooledStdin, spool_stdin

__all__ = ["STDIN", "InputSpec", "InputSurvey", "Inputs", "SpooledStdin", "open_inputs", "spool_stdin"]
