"""The group of all commands. A command is imported when it is called."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from contextlib import suppress
from typing import NoReturn

import click

from translate import distributed, signals
from translate.display import show_progress
from translate.errors import TranslateError, UsageError, nearest
from translate.version import __version__

COMMANDS = {  # The module of each command, which has a function of the same name, and its line in the help.
    "train": ("train", "Train a model on your images."),
    "apply": ("apply", "Apply a trained model to images and folders."),
    "colorize": ("colorize", "Colorize gray photos."),
    "inpaint": ("inpaint", "Fill holes in photos."),
    "sample": ("sample", "Generate images from noise."),
    "project": ("styles.project", "Find an image in the latent space of a StyleGAN2."),
    "evaluate": ("evaluate", "Score a model on a dataset."),
    "models": ("models", "List the installed models."),
    "data": ("data", "Check a dataset, or write the built-in one."),
    "import": ("importing", "Import a checkpoint of the CycleGAN, pix2pix and CUT authors."),
    "export": ("export", "Export a model to ONNX, OpenVINO or torch.export."),
    "studio": ("web.studio", "Open a page to translate, repair, generate and train."),
    "serve": ("web.serve", "Serve models over HTTP."),
    "hide": ("steganography.hide", "Hide a message in an image, for research in steganalysis."),
    "reveal": ("steganography.reveal", "Read a hidden message back."),
}


class LazyGroup(click.Group):
    """A group that imports the module of a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, _ = COMMANDS[name]
        function = module.rpartition(".")[2]
        command: click.Command = getattr(importlib.import_module(f"translate.cli.{module}"), function)
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
    """Run the command line. A user's mistake is one line and an exit code, never a traceback."""
    signals.interrupted = False
    signals.handle_signals()
    try:
        with show_progress():
            code = translate.main(prog_name="translate", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.ClickException as error:
        _print_usage_error(error)
        sys.exit(error.exit_code)
    except TranslateError as error:
        if not (distributed.rank() and isinstance(error, UsageError)):  # The first process prints it for all.
            click.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        click.echo(
            "error: the disk is full: free some space; a training run continues with --resume", err=True
        )
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort) as error:
        click.echo("stopped", err=True)
        _exit_now(signals.exit_code(error))  # Click raises Abort from the exception that the signal raised.


def _print_usage_error(error: click.ClickException) -> None:
    """Print an error of click like our own errors, after the usage of the command."""
    # Click 8.1 has no such error. Its message is the help of the command.
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):
        error.show()
        return
    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(f"{error.ctx.get_usage()}\nTry '{error.ctx.command_path} --help' for help.\n", err=True)
    click.echo(f"error: {error.format_message()}", err=True)


def _exit_now(code: int) -> NoReturn:
    """Exit without the cleanup of Python: threads of libraries that are still at work would crash it."""
    import multiprocessing

    signals.ignore_signals()
    for child in multiprocessing.active_children():
        child.terminate()
    with suppress(OSError):  # The reader of a pipe may have been stopped, too.
        sys.stdout.flush()
    os._exit(code)
