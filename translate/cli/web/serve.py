"""The command `translate serve MODEL...`."""

from __future__ import annotations

from pathlib import Path

import click

from translate.cli.options import CONTEXT_SETTINGS, complete_model, setting_options
from translate.cli.web.options import HOST, TOKEN_FILE
from translate.config.apply import PredictorOptions

PACKAGES = ("fastapi", "fastapi_offline", "httptools", "multipart", "prometheus_client", "uvicorn")


@click.command(context_settings=CONTEXT_SETTINGS)
@click.argument("models", metavar="MODEL...", nargs=-1, required=True, shell_complete=complete_model)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8000, help="port to listen on; 0: any free one"
)
@HOST
@TOKEN_FILE
@setting_options(PredictorOptions, "device", "precision")
def serve(
    models: tuple[str, ...],
    port: int,
    host: str,
    token_file: Path | None,
    device: str | None,
    precision: str | None,
) -> None:
    """Serve models over HTTP: POST an image, get an image.

    Each MODEL is a run, a model folder, or the name of an installed model. Its requests go to
    /v1/models/NAME/translate, where NAME is that of the folder; /docs lists all paths. Only programs on this
    machine can connect, unless --host says otherwise. Ctrl-C or SIGTERM finishes what was accepted.
    """
    from translate.errors import require_packages

    require_packages("serve", "translate serve", *PACKAGES)
    from translate.server.run import run_server
    from translate.web.access import bind_port, http_address, read_token
    from translate.web.hosted import load_models

    token = read_token(token_file, host)
    listener = bind_port(host, port)
    loaded = load_models(models, device=device or "auto", precision=precision or "auto")
    listener.listen()  # From the message on, a client can connect.
    address = http_address(listener)
    click.echo(
        f"serving {', '.join(loaded)} at {address}, with documentation at {address}/docs; Ctrl-C stops"
    )
    run_server(loaded, listener, host=host, token=token)
