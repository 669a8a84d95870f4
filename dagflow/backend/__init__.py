"""Views of what a server knows, and what a run under a server needs."""
