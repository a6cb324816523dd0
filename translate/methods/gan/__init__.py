"""Image generation from noise: GAN, DCGAN, CGAN, WGAN, WGAN-GP and InfoGAN."""
