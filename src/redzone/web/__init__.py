"""The dashboard: pages over the run folders, rendered on the server."""
