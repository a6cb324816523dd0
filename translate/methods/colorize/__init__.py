"""Colour for gray photos (arXiv:1603.08511)."""
