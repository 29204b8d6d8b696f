"""What the pipeline decides and does for each poster, and for all of them together."""
