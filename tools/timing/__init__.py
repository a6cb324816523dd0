"""What `benchmark.py` times: each thing by the plain recipe, and by this toolkit."""
