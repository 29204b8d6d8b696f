"""What a run counts while it works, published every second and kept in its folder."""
