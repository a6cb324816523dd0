"""The inputs of `translate hide` and `translate reveal`: the key, and files of bytes."""

from __future__ import annotations

from pathlib import Path

import click

from translate.cli.options import PATH
from translate.errors import UsageError

IMAGE = click.argument("image", metavar="IMAGE", type=PATH)
KEY_FILE = click.option(
    "--key-file",
    metavar="FILE",
    type=PATH,
    help="file whose bytes are the key, a line break at its end included  [default: ask for the key]",
)


def read_key(key_file: Path | None, *, confirm: bool) -> bytes:
    """Read the key from a file, or ask for it without echo; it has no flag, which other users could see.

    Args:
        confirm: ask for a typed key twice.

    Raises:
        UsageError: the file cannot be read, or there is nobody to ask.
    """
    if key_file is not None:
        return read_bytes(key_file, "--key-file")
    try:
        typed: str = click.prompt("Key", hide_input=True, confirmation_prompt=confirm, err=True)
    except click.Abort as abort:
        if isinstance(abort.__context__, EOFError):
            raise UsageError("no key was typed: give a file with --key-file") from None
        raise
    return typed.encode("utf-8", "surrogateescape")


def read_bytes(path: Path, flag: str) -> bytes:
    """Return the content of a file that was given by a flag.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{flag} {path}: {error.strerror}: give a file that can be read") from None
