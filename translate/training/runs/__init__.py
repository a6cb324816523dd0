"""The folder of a run: its settings, its checkpoints and its models."""
