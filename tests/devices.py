"""The devices of the tests: which one the tests marked `gpu` run on, and a guard against `auto`."""

from __future__ import annotations

import os

# The device of the tests marked `gpu`. With TRANSLATE_TEST_GPU=cpu, they run on a machine without a GPU too,
# which shows whether the tests themselves are right.
GPU = os.environ.get("TRANSLATE_TEST_GPU", "cuda")


def refuse_auto() -> str:
    """Take the place of `fastest_device`, because `auto` is a GPU on some machines and the CPU on others."""
    raise AssertionError(
        "this test leaves the choice of the device to `auto`: give it device='cpu' (--device cpu), or the"
        " fixture `auto_device` if it is about `auto`"
    )
