"""The scores: their names, the columns of the table, and the protocol by which each is computed.

This module does not import torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from translate.errors import UsageError, nearest


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        heading: the column's title.
        format: the format specification of its numbers.
        protocol: how the score is computed, with `{region}` for the pixels that it compares and `{features}`
            for the feature network; empty for a ratio, which comes with the score that it belongs to and
            cannot be requested by itself.
    """

    heading: str
    format: str
    protocol: str = ""


COLUMNS = {
    "psnr": Column(
        "PSNR dB",
        ".2f",
        "PSNR in dB over R, G and B of {region}, at most 100 for each image; mean over the images;"
        " higher is better",
    ),
    "ssim": Column(
        "SSIM",
        ".4f",
        "SSIM over the whole image, Gaussian window of 11 x 11, sigma 1.5; mean over the images;"
        " 1 is identical",
    ),
    "delta-e": Column("CIEDE2000", ".2f", "CIEDE2000 over {region}; mean over the images; lower is better"),
    "colorfulness": Column(
        "colorfulness",
        ".1f",
        "M3 of Hasler and Suesstrunk (2003); mean over the images, and its ratio to the ground truth's mean",
    ),
    "colorfulness-share": Column("vs truth", ".0%"),
    "frechet": Column(
        "Frechet",
        ".2f",
        "Frechet distance between {features}'s features of all images and of all ground-truth images;"
        " not the FID; lower is better",
    ),
    "frechet-share": Column("vs gray", ".0%"),
    "kernel": Column(
        "kernel",
        ".4f",
        "kernel distance (as the KID, unbiased) between {features}'s features of all images and of all"
        " ground-truth images; lower is better, and it can be just below 0",
    ),
    "untrained-share": Column("vs untrained", ".0%"),
    "class": Column(
        "class", ".0%", "fraction of the samples that a small CNN assigns to the requested class"
    ),
    "diversity": Column("diversity", ".0%", "mean distance of two samples, as a share of the dataset's"),
    "coverage": Column(
        "coverage",
        ".0%",
        "share of the held-out shapes that are the nearest to some sample (arXiv:1707.02392), by 1 minus"
        " intersection over union; higher is better",
    ),
    "nearest": Column(
        "nearest",
        ".3f",
        "distance to the nearest training shape, 1 minus intersection over union; mean over the samples; much"
        " below that of held-out shapes, the samples are copies",
    ),
    "nearest-share": Column("vs held-out", ".0%"),
    "connected": Column(
        "connected",
        ".0%",
        "share of the samples whose largest part, of voxels that share a face, an edge or a corner, holds at"
        " least 90 % of their occupied voxels",
    ),
}
SCORES = tuple(name for name, column in COLUMNS.items() if column.protocol)


def refuse_unknown_scores(names: Sequence[str] | None) -> None:
    """Refuse an empty list and names that are not in `SCORES`; None stands for all scores.

    Raises:
        UsageError: a name is unknown, or the list is empty.
    """
    if names is not None and not names:
        raise UsageError(f"metrics is empty: give some of {', '.join(SCORES)}, or leave it out")
    for name in names or ():
        if name not in SCORES:
            raise UsageError(f"no score {name!r}{nearest(name, SCORES)}")
