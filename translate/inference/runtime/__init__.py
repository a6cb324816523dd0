"""Run a network: its device, precision, engine and memory; and files of it for other programs."""
