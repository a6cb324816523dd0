"""The options of translating one image over HTTP or in the studio: those of `translate apply`."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config import Config, FolderOptions, PredictorOptions, with_default


@dataclass(kw_only=True)
class ImageOptions(Config):
    """The options of translating one image, with the names, defaults and ranges of `translate apply`."""

    direction: str | None = with_default(PredictorOptions, "direction", None)
    to: str | None = with_default(
        PredictorOptions,
        "to",
        None,
        help="domain of the output, for a model of several; of attributes, all that are on (blond,young), or"
        " none",
        metavar="DOMAIN",
    )
    size: str = with_default(PredictorOptions, "size", "auto")
    saturation: float = with_default(PredictorOptions, "saturation", 1.0)
    alpha: str = with_default(PredictorOptions, "alpha", "keep")
    format: str = with_default(FolderOptions, "format", "keep")
    keep_metadata: bool = with_default(FolderOptions, "keep_metadata", False)
    half: str | None = with_default(FolderOptions, "half", None)
    invert: bool = with_default(FolderOptions, "invert", False)
    dilate: int = with_default(FolderOptions, "dilate", 0)
