"""How near a picture is to the truth, each score with its protocol."""

from translate.metrics.fidelity import l1, psnr

__all__ = ["l1", "psnr"]
