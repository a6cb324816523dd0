"""Training losses (adversarial, perceptual, contrastive, of inpainting), penalties, and the image pool."""

from translate.losses.adversarial import (
    GAN_LOSSES,
    GANLoss,
    PatchScores,
    RelativisticLoss,
    gradient_penalty,
    split_scales,
    vanilla,
    zero_centered_penalty,
)
from translate.losses.color import RebalancedCrossEntropy
from translate.losses.contrastive import multilayer_patch_nce, patch_nce
from translate.losses.inpainting import masked_mean, spatial_discount
from translate.losses.orthogonal import orthogonal_penalty
from translate.losses.perceptual import PerceptualLoss
from translate.losses.pool import ImagePool

__all__ = [
    "GAN_LOSSES",
    "GANLoss",
    "ImagePool",
    "PatchScores",
    "PerceptualLoss",
    "RebalancedCrossEntropy",
    "RelativisticLoss",
    "gradient_penalty",
    "masked_mean",
    "multilayer_patch_nce",
    "orthogonal_penalty",
    "patch_nce",
    "spatial_discount",
    "split_scales",
    "vanilla",
    "zero_centered_penalty",
]
