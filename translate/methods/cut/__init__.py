"""CUT and FastCUT: unpaired translation in one direction by contrastive learning (arXiv:2007.15651)."""
