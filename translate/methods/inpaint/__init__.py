"""Holes in photos filled (arXiv:1804.07723, arXiv:1604.07379)."""
