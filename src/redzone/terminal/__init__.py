"""Shows a run in the terminal: a live view, plain lines, and a summary at the end.

Displays read Snapshots; the pipeline does not know them. This module imports nothing, so that the dashboard
can use `formatting` without Rich, which takes 0.1 s to import.
"""
