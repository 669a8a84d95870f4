"""Helpers that the rest of the package stands on; each module can be imported on its own."""
