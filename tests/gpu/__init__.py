"""What a GPU does differently: `make test-gpu` runs these tests, and without a GPU they are skipped.

`TRANSLATE_TEST_GPU=cpu make test-gpu` runs them on the CPU instead, all but those that need CUDA itself.
"""
