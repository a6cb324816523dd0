"""The command that finds the styles of an image."""
