"""Seeds, and `--deterministic`: name the operations of a step that are not deterministic."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from translate.config import TrainConfig
from translate.errors import TranslateError


def set_determinism(c: TrainConfig, device: torch.device) -> None:
    """Seed all random draws of torch, and, with `--deterministic`, use deterministic operations only.

    A GPU lacks deterministic versions of a few operations (the gradient of reflection padding); torch then
    warns, and `NonDeterminism` logs which.
    """
    torch.manual_seed(c.seed)
    if c.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # Torch requires this for cuBLAS.
    torch.use_deterministic_algorithms(c.deterministic, warn_only=device.type != "cpu")


class NonDeterminism:
    """A context that replaces torch's messages about such operations by one line each.

    Args:
        c: without `--deterministic`, the context does nothing.
        log: logs a line.

    Raises:
        TranslateError: torch refuses an operation.
    """

    def __init__(self, c: TrainConfig, log: Callable[[str], None]) -> None:
        self.is_checked, self.log = c.deterministic, log
        self.operations: set[str] = set()  # Those that were logged.

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Check the block."""
        if not self.is_checked:
            yield
            return
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                yield
            except RuntimeError as error:
                if name := _operation(str(error)):
                    raise TranslateError(
                        f"--deterministic: {name} has no deterministic implementation here:"
                        " leave --deterministic out, or give --device cpu"
                    ) from None
                raise
        for warning in caught:
            self._report(warning)

    def _report(self, warning: warnings.WarningMessage) -> None:
        """Log an operation once; pass other warnings on."""
        name = _operation(str(warning.message))
        if not name:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
        elif name not in self.operations:
            self.operations.add(name)
            self.log(
                f"--deterministic: {name} is not deterministic on this device, so that two runs will differ"
                " a little: give --device cpu for equal ones"
            )


def _operation(text: str) -> str:
    """Return the name of the operation in a message of torch about determinism; empty for other messages."""
    match = re.match(r"(\S+) does not have a deterministic implementation", text)
    return match[1] if match else ""
