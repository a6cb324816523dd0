"""The options that the commands over HTTP share."""

from __future__ import annotations

import click

from translate.cli.options import PATH

HOST = click.option(
    "--host",
    default="127.0.0.1",
    metavar="ADDRESS",
    help="address to listen on; one that other machines can reach needs --token-file",
)
TOKEN_FILE = click.option(
    "--token-file",
    type=PATH,
    metavar="FILE",
    help="file with a token that clients must send, of at least 16 characters",
)
