"""Training, the same for all methods: session, training loop, schedule, log; below it `step` and `runs`."""
