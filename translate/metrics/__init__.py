"""How near a picture is to the truth, each score with its protocol."""

from translate.metrics.fidelity import l1, psnr
from translate.metrics.frechet import PictureFeatures, frechet_distance
from translate.metrics.pictures import colorfulness, delta_e, picture_psnr, ssim

__all__ = [
    "PictureFeatures",
    "colorfulness",
    "delta_e",
    "frechet_distance",
    "l1",
    "picture_psnr",
    "psnr",
    "ssim",
]
