"""Metrics of images: PSNR, SSIM, CIEDE2000, colourfulness, Frechet distance, diversity and class accuracy."""

from translate.metrics.fidelity import l1, psnr
from translate.metrics.frechet import MobileNetFeatures, frechet_distance
from translate.metrics.image_quality import colorfulness, delta_e, select_pixels, ssim

__all__ = [
    "MobileNetFeatures",
    "colorfulness",
    "delta_e",
    "frechet_distance",
    "l1",
    "psnr",
    "select_pixels",
    "ssim",
]
