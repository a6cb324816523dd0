"""List the columns of the table: what each score is called, how it is written, and how it is taken.

Imports no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from translate.errors import UsageError, nearest


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        heading: what stands above it.
        format: of its numbers.
        protocol: how the score is taken, `{where}` being the pixels that count; empty for a share of
            another column, which comes with that column and cannot be asked for.
    """

    heading: str
    format: str
    protocol: str = ""


COLUMNS = {
    "psnr": Column(
        "PSNR dB",
        ".2f",
        "in dB, over R, G and B of {where}; mean of the images, each 100 at most; more is nearer",
    ),
    "ssim": Column(
        "SSIM",
        ".4f",
        "over the whole image, Gaussian window of 11 x 11, sigma 1.5; mean of the images; 1 is equal",
    ),
    "delta-e": Column("CIEDE2000", ".2f", "CIEDE2000 over {where}; mean of the images; less is nearer"),
    "colorfulness": Column(
        "colorfulness",
        ".1f",
        "M3 of Hasler and Suesstrunk; mean of the images, and its share of the truth's mean",
    ),
    "colorfulness-share": Column("of truth's", ".0%"),
    "frechet": Column(
        "Frechet",
        ".2f",
        "of MobileNetV2's features of all images and all true ones; not the FID; less is nearer",
    ),
    "frechet-share": Column("of gray's", ".0%"),
    "untrained-share": Column("of untrained's", ".0%"),
    "class": Column("class", ".0%", "share of the samples that a small network takes for what was asked for"),
}
SCORES = tuple(name for name, column in COLUMNS.items() if column.protocol)


def refuse_unknown_scores(names: Sequence[str] | None) -> None:
    """Refuse names that are no score's, or no names at all; None stands for all scores.

    Raises:
        UsageError: with the nearest name that is one.
    """
    if names is not None and not names:
        raise UsageError(f"metrics is empty: give some of {', '.join(SCORES)}, or leave it out")
    for name in names or ():
        if name not in SCORES:
            raise UsageError(f"no score {name!r}{nearest(name, SCORES)}")
