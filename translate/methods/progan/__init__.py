"""Progressive growing of GANs, ProGAN."""
