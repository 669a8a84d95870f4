"""The task library."""
