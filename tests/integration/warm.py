"""Processes of the command line that start quickly, because they are forked from one that has imported torch.

Each has its own memory, working folder, environment and output, like any process.
"""

from __future__ import annotations

import importlib
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from tests.devices import refuse_auto
from translate.cli import main
from translate.models import device

for name in (  # the modules that commands import
    *("translate.training.session", "translate.inference.runtime.runner", "torch._dynamo", "PIL.ImageCms"),
    *("translate.methods.gan.task", "translate.methods.colorize.task", "translate.methods.inpaint.task"),
    *("translate.methods.pix2pix.task", "translate.methods.cyclegan.task", "translate.evaluation"),
):
    importlib.import_module(name)

FORK_SERVER = multiprocessing.get_context("forkserver")
FORK_SERVER.set_forkserver_preload([__name__])
TIMEOUT_SECONDS = 300


def run(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run `translate ARGUMENTS` in a folder, and wait until it ends."""
    with TemporaryDirectory() as temporary:
        output = Path(temporary, "out"), Path(temporary, "err")
        process = start(arguments, folder, environment, output)
        process.join(TIMEOUT_SECONDS)
        if process.is_alive():
            process.kill()
            raise TimeoutError(f"translate {' '.join(arguments)} has not ended after {TIMEOUT_SECONDS} s")
        assert process.exitcode is not None
        out, err = (path.read_text(encoding="utf-8") for path in output)
    return subprocess.CompletedProcess(["translate", *arguments], process.exitcode, out, err)


def start(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], output: tuple[Path, Path]
) -> BaseProcess:
    """Start `translate ARGUMENTS` in a folder, and return its process.

    Args:
        output: the files for its stdout and its stderr.
    """
    with mock.patch.dict(os.environ, environment):
        process = FORK_SERVER.Process(target=_command, args=(arguments, folder, dict(environment), output))
        process.start()
    return process


def _command(
    arguments: Sequence[str], folder: Path, environment: dict[str, str], output: tuple[Path, Path]
) -> None:
    os.chdir(folder)
    sys.path[:0] = [entry for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry]
    os.environ.clear()
    os.environ.update(environment)
    for descriptor, path in enumerate(output, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    sys.argv = ["translate", *arguments]
    device.fastest_device = refuse_auto
    multiprocessing.set_start_method(
        None, force=True
    )  # A process that was not forked has no start method set.
    main()
