"""Metrics of images: PSNR, SSIM, CIEDE2000, colourfulness, diversity, class accuracy, distances of sets."""

from translate.metrics.features import EfficientNetFeatures, FeatureNetwork
from translate.metrics.fidelity import l1, psnr
from translate.metrics.frechet import Features, MobileNetFeatures, frechet_distance
from translate.metrics.image_quality import colorfulness, delta_e, select_pixels, ssim
from translate.metrics.kernel import KernelDistance, kernel_distance, shift_share

__all__ = [
    "EfficientNetFeatures",
    "FeatureNetwork",
    "Features",
    "KernelDistance",
    "MobileNetFeatures",
    "colorfulness",
    "delta_e",
    "frechet_distance",
    "kernel_distance",
    "l1",
    "psnr",
    "select_pixels",
    "shift_share",
    "ssim",
]
