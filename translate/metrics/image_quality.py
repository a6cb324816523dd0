"""Scores of 8-bit sRGB images as they are saved: SSIM, CIEDE2000 and colourfulness."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from translate.errors import DataError

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]

SSIM_WINDOW = 11  # The side of the Gaussian window, in pixels.


def select_pixels(image: Pixels, target: Pixels, mask: Mask | None) -> tuple[Pixels, Pixels]:
    """Return the pixels of both images that a mask marks, (K, 3); without a mask, the images as they are.

    Args:
        image, target: (H, W, 3).
        mask: (H, W), True where a pixel counts.

    Raises:
        DataError: the mask marks no pixel.
        ValueError: the shapes differ.
    """
    if image.shape != target.shape:
        raise ValueError(f"images of one shape are compared, not {image.shape} and {target.shape}")
    if mask is None:
        return image, target
    if not mask.any():
        raise DataError("the mask marks no pixel, so there is nothing to score: leave this image out")
    return image[mask], target[mask]


def ssim(image: Pixels, target: Pixels) -> float:
    """Return the structural similarity, the mean over R, G and B; 1, the maximum, for equal images.

    Wang, Bovik, Sheikh and Simoncelli 2004, eq. 13: an 11 x 11 Gaussian window with sigma 1.5, only where
    it lies inside the image, K1 = 0.01, K2 = 0.03, population covariances. Computed by scikit-image at the
    image's own size.

    Args:
        image, target: (H, W, 3) RGB.

    Raises:
        DataError: a side is shorter than the window.
    """
    from skimage.metrics import structural_similarity  # Imported here, because training does not need it.

    height, width = image.shape[:2]
    if min(height, width) < SSIM_WINDOW:
        raise DataError(
            f"{width} x {height} pixels are too few for SSIM, whose window is {SSIM_WINDOW} x {SSIM_WINDOW}: "
            "leave SSIM out, or score larger images"
        )
    similarity = structural_similarity(
        image,
        target,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2,
    )
    return float(similarity)


def delta_e(image: Pixels, target: Pixels, mask: Mask | None = None) -> float:
    """Return the mean CIEDE2000 colour difference: 0 is equal, about 1 just visible, 100 black against white.

    kL = kC = kH = 1, in Lab (D65, 2 degree observer). Computed by scikit-image.

    Args:
        image, target: (H, W, 3) RGB.
        mask: (H, W), True where a pixel counts; None counts all.

    Raises:
        DataError: the mask marks no pixel.
        ValueError: the shapes differ.
    """
    from skimage.color import deltaE_ciede2000, rgb2lab  # Imported here, because training does not need it.

    image, target = select_pixels(image, target, mask)
    differences = deltaE_ciede2000(rgb2lab(target), rgb2lab(image))
    return float(differences.mean())


def colorfulness(image: Pixels) -> float:
    """Return the colourfulness: 0 is gray, 15 slightly, 59 quite and 109 extremely colourful.

    Hasler and Suesstrunk 2003, the measure M3.

    Args:
        image: (H, W, 3) RGB.
    """
    red, green, blue = np.moveaxis(image.astype(np.float64), 2, 0)
    red_green, yellow_blue = red - green, (red + green) / 2 - blue
    spread = math.hypot(red_green.std(), yellow_blue.std())
    return spread + 0.3 * math.hypot(red_green.mean(), yellow_blue.mean())
