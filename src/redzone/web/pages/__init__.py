"""A page each: its routes, from the request to the answer."""
