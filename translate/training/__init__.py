"""The loop that trains any method: session, log, schedule, memory; `step` and `runs` below it."""
