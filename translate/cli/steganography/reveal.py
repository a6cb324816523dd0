"""The command `translate reveal IMAGE`."""

from __future__ import annotations

from pathlib import Path

import click

from translate.cli.options import PATH
from translate.cli.steganography.inputs import IMAGE, KEY_FILE, read_key
from translate.errors import UsageError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@IMAGE
@KEY_FILE
@click.option(
    "-o", "--out", metavar="OUT", type=PATH, help="file to write the message to  [default: standard output]"
)
@click.option("--overwrite", is_flag=True, help="replace OUT if it exists")
def reveal(image: Path, key_file: Path | None, out: Path | None, overwrite: bool) -> None:
    """Read back a message that `translate hide` hid in IMAGE.

    If IMAGE holds no message under the key, nothing is written, and the exit code is 1.
    """
    from translate.images import steganography, write_errors
    from translate.storage import atomic_write

    if out is not None and out.exists() and not overwrite:
        raise UsageError(f"{out} already exists: give another -o, or --overwrite")
    message = steganography.reveal(image, key=read_key(key_file, confirm=False))
    if out is None:
        click.echo(message, nl=False)  # Bytes, which click writes as they are.
        return
    with write_errors(out):
        atomic_write(out, message)
    click.echo(f"{out}: {len(message)} bytes")
