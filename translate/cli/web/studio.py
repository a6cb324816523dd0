"""The command `translate studio [MODEL...]`."""

from __future__ import annotations

from pathlib import Path

import click

from translate.cli.options import CONTEXT_SETTINGS, complete_model, setting_options
from translate.cli.web.options import HOST, TOKEN_FILE
from translate.config.apply import PredictorOptions

RUNS = Path("runs")


@click.command(context_settings=CONTEXT_SETTINGS)
@click.argument("models", metavar="[MODEL...]", nargs=-1, shell_complete=complete_model)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=7860, help="port to listen on; 0: any free one"
)
@HOST
@TOKEN_FILE
@click.option("--browser/--no-browser", default=True, help="open the page in a browser")
@setting_options(PredictorOptions, "device", "precision")
def studio(
    models: tuple[str, ...],
    port: int,
    host: str,
    token_file: Path | None,
    browser: bool,
    device: str | None,
    precision: str | None,
) -> None:
    """Open a page in the browser to translate, repair, colour, generate and train.

    Each MODEL is a run, a model folder, or the name of an installed model; without any, the page offers the
    installed models and those of the runs in runs/. Only this machine can connect, unless --host says
    otherwise. Ctrl-C ends the studio; trainings that it started go on.
    """
    from translate.errors import require_packages

    require_packages("ui", "translate studio", "gradio")
    from translate.studio.model_library import ModelLibrary
    from translate.studio.run import run_studio
    from translate.web.access import bind_port, http_address, is_loopback, read_token

    token = read_token(token_file, host)
    library = ModelLibrary(models, RUNS, device=device or "auto", precision=precision or "auto")
    listener = bind_port(host, port)
    listener.listen()  # From the message on, a browser can connect.
    address = http_address(listener)
    click.echo(f"the studio is at {address}; Ctrl-C ends it")
    if browser and is_loopback(host):
        click.launch(address)
    run_studio(library, listener, host=host, token=token)
