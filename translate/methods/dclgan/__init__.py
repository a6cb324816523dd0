"""DCLGAN: unpaired translation in both directions by contrastive learning (arXiv:2104.07689)."""
