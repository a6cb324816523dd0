"""Noise to images: GAN, DCGAN, CGAN, WGAN, WGAN-GP and InfoGAN share the order of a step."""
