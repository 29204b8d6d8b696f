"""How a run looks to people: a live view, plain lines, and a summary at the end.

The pipeline knows nothing of this: a display reads Snapshots. Nothing is imported here, so that the dashboard
has the figures without the terminal's views: Rich takes a tenth of a second.
"""
