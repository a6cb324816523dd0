"""Scores of one image as it is saved: 8-bit sRGB, each with its protocol."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from translate.errors import DataError

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

WINDOW = 11  # pixels a side, of SSIM


def image_psnr(image: Pixels, truth: Pixels, where: Mask | None = None) -> float:
    """Peak signal-to-noise ratio in dB over all values of R, G and B; infinite for equal images.

    10 log10(255^2 / MSE).

    Args:
        image, truth: (H, W, 3) RGB.
        where: (H, W), the pixels that count; None is all.

    Raises:
        DataError: no pixel counts.
    """
    image, truth = _counted(image, truth, where)
    error = float(np.square(image.astype(np.float64) - truth).mean())
    return 10 * math.log10(255**2 / error) if error else math.inf


def _counted(image: Pixels, truth: Pixels, where: Mask | None) -> tuple[Pixels, Pixels]:
    """The pixels that count, of both images: (H, W, 3), or (K, 3) under a mask."""
    assert image.shape == truth.shape, (image.shape, truth.shape)
    if where is None:
        return image, truth
    if not where.any():
        raise DataError("the mask marks no pixel, so there is none to score: leave this image out")
    return image[where], truth[where]


def ssim(image: Pixels, truth: Pixels) -> float:
    """Structural similarity, at most 1, which is equal: the mean over R, G and B.

    Wang, Bovik, Sheikh and Simoncelli 2004, eq. 13: an 11 x 11 Gaussian window of sigma 1.5, only where
    it lies inside of the image, K1 = 0.01, K2 = 0.03, the covariances not corrected for the sample's
    size. By scikit-image, at the image's own size.

    Args:
        image, truth: (H, W, 3) RGB.

    Raises:
        DataError: a side is shorter than the window.
    """
    from skimage.metrics import structural_similarity  # not above: training does not need it

    height, width = image.shape[:2]
    if min(height, width) < WINDOW:
        raise DataError(
            f"{width} x {height} pixels are too few for SSIM, whose window is {WINDOW} x {WINDOW}: "
            "leave SSIM out, or score larger images"
        )
    similarity = structural_similarity(
        image,
        truth,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2,
    )
    return float(similarity)


def delta_e(image: Pixels, truth: Pixels, where: Mask | None = None) -> float:
    """Mean difference of the colours to the eye: 0 is equal, about 1 is just seen, 100 is black to white.

    CIEDE2000 with kL = kC = kH = 1, in Lab (D65, 2 degrees). By scikit-image.

    Args:
        image, truth: (H, W, 3) RGB.
        where: (H, W), the pixels that count; None is all.

    Raises:
        DataError: no pixel counts.
    """
    from skimage.color import deltaE_ciede2000, rgb2lab  # not above: training does not need it

    image, truth = _counted(image, truth, where)
    differences = deltaE_ciede2000(rgb2lab(truth), rgb2lab(image))
    return float(differences.mean())


def colorfulness(image: Pixels) -> float:
    """How colourful an image is: 0 is gray, 15 slightly, 59 quite, 109 extremely so.

    Hasler and Suesstrunk 2003, the measure M3.

    Args:
        image: (H, W, 3) RGB.
    """
    red, green, blue = np.moveaxis(image.astype(np.float64), 2, 0)
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = math.hypot(red_green.std(), yellow_blue.std())
    return spread + 0.3 * math.hypot(red_green.mean(), yellow_blue.mean())
