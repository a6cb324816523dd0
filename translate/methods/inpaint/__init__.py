"""Inpainting: filling holes in photos (arXiv:1804.07723, arXiv:1604.07379, arXiv:1801.07892)."""
