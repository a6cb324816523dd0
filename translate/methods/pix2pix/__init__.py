"""pix2pix: paired image-to-image translation (arXiv:1611.07004)."""
