"""`recolor serve`: a model over HTTP, with a page."""
