"""CycleGAN: unpaired image-to-image translation (arXiv:1703.10593)."""
