"""Volume generation from noise: 3D-GAN."""
