"""What networks are trained for: adversarial pairs, penalties and the pool of generated pictures."""

from translate.losses.gan import GAN_LOSSES, GANLoss, gradient_penalty
from translate.losses.pool import ImagePool

__all__ = ["GAN_LOSSES", "GANLoss", "ImagePool", "gradient_penalty"]
