"""The diversity of a set of images, which falls when a generator collapses to few modes (mode collapse)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MIN_SIDE = 64  # Smaller images are enlarged to this many pixels a side, or the backbone sees nothing in them.
BATCH_SIZE = 16


class Diversity:
    """A score of diversity: the mean distance between the features of all pairs of images.

    The features are a backbone's deepest ones, averaged over the image and scaled to length 1, so that the
    distance of two images is 0 if they are alike, and at most 2.

    Args:
        backbone: maps (N, 1, H, W) gray images in [-1, 1], H and W multiples of 32, to features at several
            scales, the deepest last.
    """

    def __init__(self, backbone: nn.Module) -> None:
        self.backbone = backbone.eval()

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> float:
        """Return the mean distance of all pairs of (N, C, H, H) images in [-1, 1], N at least 2."""
        device = next(self.backbone.parameters()).device
        features = torch.cat([self._features(batch.to(device)) for batch in torch.split(images, BATCH_SIZE)])
        return float(torch.pdist(features).mean())

    def _features(self, images: Tensor) -> Tensor:
        side = max(MIN_SIDE, 32 * round(images.shape[-1] / 32))
        gray = images.mean(dim=1, keepdim=True)
        resized = F.interpolate(gray, (side, side), mode="bilinear", align_corners=False)
        *_, deepest = self.backbone(resized)
        return F.normalize(deepest.mean(dim=(2, 3)), dim=1)
