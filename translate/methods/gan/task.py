"""The tasks of the GANs from noise."""

from __future__ import annotations

from translate.methods.gan.cgan import CGAN
from translate.methods.gan.infogan import InfoGAN
from translate.methods.gan.trainer import GAN
from translate.methods.gan.wgan import WGAN, WGANGP
from translate.methods.noise import noise_task

GAN_TASK = noise_task(GAN)
CGAN_TASK = noise_task(CGAN)
WGAN_TASK = noise_task(WGAN)
WGANGP_TASK = noise_task(WGANGP)
INFOGAN_TASK = noise_task(InfoGAN)
