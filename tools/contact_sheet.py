"""Compare images of the same name from several folders side by side on a contact sheet.

python tools/contact_sheet.py input=photos translated=out -o sheet.png
"""

from __future__ import annotations

from pathlib import Path

import click

from translate.errors import TranslateError
from translate.images import contact_sheet, find_images, read_rgb, write_rgb


@click.command()
@click.argument("columns", metavar="NAME=FOLDER...", nargs=-1, required=True)
@click.option("-o", "--out", required=True, type=click.Path(path_type=Path), help="image file to write")
@click.option(
    "--rows",
    default=8,
    show_default=True,
    type=click.IntRange(1),
    help="number of images, evenly spaced over the folder",
)
@click.option(
    "--side", default=128, show_default=True, type=click.IntRange(1), help="side of each image in pixels"
)
def main(columns: tuple[str, ...], out: Path, rows: int, side: int) -> None:
    """Write a contact sheet with a column for each folder and a row for each image that all folders have."""
    folders = dict(_parse_column(text) for text in columns)
    paths = _common_paths(list(folders.values()))
    selection = paths[:: max(1, len(paths) // rows)][:rows]
    try:
        images = {name: [read_rgb(folder / path) for path in selection] for name, folder in folders.items()}
        write_rgb(contact_sheet(images, side=side), out)
    except TranslateError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{len(selection)} of {len(paths)} images in {out}")


def _parse_column(text: str) -> tuple[str, Path]:
    name, equals, folder = text.partition("=")
    if not equals or not Path(folder).is_dir():
        raise click.UsageError(f"{text!r} is not NAME=FOLDER with an existing folder")
    return name, Path(folder)


def _common_paths(folders: list[Path]) -> list[Path]:
    """Return the relative paths of the images that all folders have."""
    sets = [{path.relative_to(folder) for path in find_images(folder)} for folder in folders]
    common = sorted(set.intersection(*sets))
    if not common:
        raise click.UsageError("the folders have no image name in common")
    return common


if __name__ == "__main__":
    main()
