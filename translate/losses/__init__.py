"""Training losses: adversarial, perceptual and contrastive ones, the gradient penalty, and the image pool."""

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
    "multilayer_patch_nce",
    "patch_nce",
    "split_scales",
    "vanilla",
    "zero_centered_penalty",
]
