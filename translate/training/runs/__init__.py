"""The folder of a run: settings, checkpoints, models."""
