"""The group of all commands. Knows their names and help lines, and imports none of them before its use."""

from __future__ import annotations

import errno
import importlib
import logging
import os
import signal
import sys
from contextlib import suppress
from typing import NoReturn

import click

from translate import distributed, signals
from translate.errors import TranslateError, UsageError, nearest
from translate.version import __version__

COMMANDS = {  # name: the module that holds it, under its own name, and its help line
    "train": ("train", "Train a model on your images."),
    "apply": ("apply", "Translate images and folders with a trained model."),
    "colorize": ("colorize", "Give gray photos colour."),
    "inpaint": ("inpaint", "Fill holes in photos."),
    "sample": ("sample", "Make images from noise."),
    "evaluate": ("evaluate", "Score a model on images."),
    "models": ("models", "List the models that come installed."),
    "data": ("data", "Look at a data set, or write the built-in one."),
    "import": ("importing", "Read a generator of CycleGAN or pix2pix in PyTorch."),
    "export": ("export", "Write a model as ONNX, OpenVINO or torch.export."),
}


class LazyGroup(click.Group):
    """Imports a command's module when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _ = COMMANDS[name]
        command: click.Command = getattr(importlib.import_module(f"translate.cli.{module}"), module)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in COMMANDS:
            ctx.fail(f"no command {args[0]!r}{nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="translate")
def translate() -> None:
    """Turn one kind of image into another.

    \b
    translate data demo datasets/demo
    translate train cyclegan --data datasets/demo --image-size 64
    translate apply runs/cyclegan photos/ -o out/
    translate colorize grandma.jpg -o out/
    translate inpaint photo.jpg --mask scratch.png -o out/
    translate train dcgan --data covers/
    translate sample runs/dcgan -o out/ -n 64
    """


def main() -> None:
    """Run the command line; a person's mistake is one line and an exit code, never a traceback."""
    logging.basicConfig(format="%(message)s")
    logging.getLogger("translate").setLevel(logging.INFO)
    signals.interrupted = False
    for number, default in ((signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)):
        if signal.getsignal(number) is default:
            signal.signal(number, signals.raise_interrupt)
    try:
        code = translate.main(prog_name="translate", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except TranslateError as error:
        if not (distributed.rank() and isinstance(error, UsageError)):  # the first process says it for all
            click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        click.echo("error: the disk is full: make room; a training goes on with --resume", err=True)
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort) as error:
        click.echo("stopped", err=True)
        _leave(signals.exit_code(error))  # click raises its Abort from what the signal raised


def _leave(code: int) -> NoReturn:
    """End without taking Python down: what a library's threads are still at would crash it."""
    import multiprocessing

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for child in multiprocessing.active_children():
        child.terminate()
    with suppress(OSError):  # who read it was stopped, too
        sys.stdout.flush()
    os._exit(code)
