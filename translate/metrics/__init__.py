"""How near an image is to the truth, each score with its protocol."""

from translate.metrics.fidelity import l1, psnr
from translate.metrics.frechet import ImageFeatures, frechet_distance
from translate.metrics.images import colorfulness, delta_e, image_psnr, ssim

__all__ = [
    "ImageFeatures",
    "colorfulness",
    "delta_e",
    "frechet_distance",
    "image_psnr",
    "l1",
    "psnr",
    "ssim",
]
