"""What networks are trained for: adversarial pairs, penalties and the pool of generated images."""

from translate.losses.adversarial import GAN_LOSSES, GANLoss, gradient_penalty, vanilla
from translate.losses.color import ColorClasses
from translate.losses.features import FeatureLoss
from translate.losses.pool import ImagePool

__all__ = [
    "GAN_LOSSES",
    "ColorClasses",
    "FeatureLoss",
    "GANLoss",
    "ImagePool",
    "gradient_penalty",
    "vanilla",
]
