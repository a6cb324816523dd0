"""torch.compile: compile networks, cache the programs, and run eagerly what cannot be compiled."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING
from weakref import WeakSet

from translate import storage

if TYPE_CHECKING:
    from torch import nn

CACHE_VARIABLE = "TORCHINDUCTOR_CACHE_DIR"  # Triton's programs are in a folder inside.

log = logging.getLogger("translate")
_compiled: WeakSet[nn.Module] = WeakSet()


def compile_network(network: nn.Module) -> None:
    """Compile a network in place by torch.compile; its weights stay the same tensors."""
    prepare_compiler()
    # A run has few image sizes, so a faster program for each of them pays off.
    network.compile(dynamic=False)
    _compiled.add(network)


def prepare_compiler() -> None:
    """Set up torch.compile; call it before the first compilation."""
    _cache_programs()
    # Torch 2.10 warns if float32 is computed as such on a GPU that has TF32, which is a choice of the user's.
    warnings.filterwarnings("ignore", "TensorFloat32 tensor cores")


def _cache_programs() -> None:
    """Have torch.compile keep its programs in the cache folder, so that later runs do not compile them again.

    The environment variable TORCHINDUCTOR_CACHE_DIR overrides it.
    """
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    # Importing an optimizer has set the variable to torch's default, a folder for temporary files.
    if os.environ.get(CACHE_VARIABLE, default_cache_dir()) != default_cache_dir():
        return
    folder = storage.cache_folder() / "compiled"
    with contextlib.suppress(OSError):  # Without a folder that can be written, torch's default stays.
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()  # It may be there and belong to another user.
        os.environ[CACHE_VARIABLE] = str(folder)


@contextmanager
def run_eagerly(message: str) -> Iterator[None]:
    """Run compiled networks eagerly inside the context, on the same weights; log `message` once."""
    if not _compiled:
        yield
        return
    import torch  # Imported here because modules that must not import torch import this one.

    _log_once(message)
    with torch.compiler.set_stance("force_eager"):
        yield


@cache
def _log_once(text: str) -> None:
    log.info(text)
