"""The commands that serve models over HTTP."""
