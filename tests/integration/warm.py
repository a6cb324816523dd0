"""Processes that need not import torch: they are forked from one that has, so that a command takes its own
time only. Each has a memory, a folder, an environment and output of its own, as any process.
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

from translate.cli import main

for name in (  # what a command would import itself
    *("translate.training.session", "translate.inference.runtime.runner", "torch._dynamo", "PIL.ImageCms"),
    *("translate.methods.gan.task", "translate.methods.colorize.task", "translate.methods.inpaint.task"),
    *("translate.methods.pix2pix.task", "translate.methods.cyclegan.task", "translate.evaluation"),
):
    importlib.import_module(name)

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload([__name__])


def run(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """`translate ARGUMENTS` in a folder, to its end."""
    with TemporaryDirectory() as place:
        told = Path(place, "out"), Path(place, "err")
        process = start(arguments, folder, environment, told)
        process.join(300)
        if process.is_alive():
            process.kill()
            raise TimeoutError(f"translate {' '.join(arguments)} has not ended")
        assert process.exitcode is not None
        out, err = (path.read_text(encoding="utf-8") for path in told)
    return subprocess.CompletedProcess(["translate", *arguments], process.exitcode, out, err)


def start(
    arguments: Sequence[str], folder: Path, environment: Mapping[str, str], told: tuple[Path, Path]
) -> BaseProcess:
    """`translate ARGUMENTS` in a folder, and on.

    Args:
        told: the files that its output and its messages go to.
    """
    with mock.patch.dict(os.environ, environment):
        process = FORKING.Process(target=_command, args=(arguments, folder, dict(environment), told))
        process.start()
    return process


def _command(
    arguments: Sequence[str], folder: Path, environment: dict[str, str], told: tuple[Path, Path]
) -> None:
    os.chdir(folder)
    sys.path[:0] = [place for place in environment.get("PYTHONPATH", "").split(os.pathsep) if place]
    os.environ.clear()
    os.environ.update(environment)
    for number, path in enumerate(told, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), number)
    sys.argv = ["translate", *arguments]
    multiprocessing.set_start_method(None, force=True)  # what a process has that was not forked so
    main()
