"""Colorization of gray photos (arXiv:1603.08511)."""
