"""The loop that trains any task: run folder, checkpoints, schedules, averaging, log and samples."""
