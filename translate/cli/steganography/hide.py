"""The command `translate hide IMAGE --message-file FILE -o OUT`."""

from __future__ import annotations

from pathlib import Path

import click

from translate.cli.options import PATH
from translate.cli.steganography.inputs import IMAGE, KEY_FILE, read_bytes, read_key


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@IMAGE
@click.option(
    "--message-file",
    required=True,
    metavar="FILE",
    type=PATH,
    help="file whose bytes are the message",
)
@KEY_FILE
@click.option("-o", "--out", required=True, metavar="OUT", type=PATH, help=".png file to write")
@click.option("--overwrite", is_flag=True, help="replace OUT if it exists")
def hide(image: Path, message_file: Path, key_file: Path | None, out: Path, overwrite: bool) -> None:
    """Hide a message in an image by LSB matching.

    IMAGE is an 8-bit gray or RGB image: PNG, BMP, PGM, PPM or TIFF. The values of its colours change by at
    most 1, and alpha stays as it is. `translate reveal OUT` needs the same key to read the message back.

    This is for research in steganalysis. Hidden messages can be detected, and no secrecy is claimed.
    """
    from translate.images import steganography
    from translate.images.steganography.files import check_output

    check_output(out, overwrite=overwrite)  # Before somebody types a key.
    message = read_bytes(message_file, "--message-file")
    key = read_key(key_file, confirm=True)
    result = steganography.hide(image, message, key=key, out=out, overwrite=overwrite)
    click.echo(
        f"{result.path}: {len(message)} of at most {result.capacity} bytes are hidden,"
        f" {result.changed} of {result.values} values changed by 1"
    )
