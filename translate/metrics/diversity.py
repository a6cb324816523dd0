"""How unlike the images of a set are to one another: what falls away when a generator repeats itself."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAST = 64  # pixels a side that a backbone sees something in
BATCH = 16


class Diversity:
    """The mean distance between the features of all pairs of a set's images.

    Features are a backbone's deepest ones, averaged over the image and brought to length 1; two
    images are then 0 apart if they are alike, and at most 2.

    Args:
        backbone: (N, 1, H, W) in [-1, 1], H and W multiples of 32 -> features of several sizes.
    """

    def __init__(self, backbone: nn.Module) -> None:
        self.backbone = backbone.eval()

    @torch.inference_mode()
    def __call__(self, images: Tensor) -> float:
        """Of (N, C, H, H) in [-1, 1], N at least 2."""
        device = next(self.backbone.parameters()).device
        features = torch.cat([self._features(batch.to(device)) for batch in torch.split(images, BATCH)])
        return float(torch.pdist(features).mean())

    def _features(self, images: Tensor) -> Tensor:
        side = max(LEAST, 32 * round(images.shape[-1] / 32))
        gray = images.mean(dim=1, keepdim=True)
        *_, deepest = self.backbone(F.interpolate(gray, (side, side), mode="bilinear", align_corners=False))
        return F.normalize(deepest.mean(dim=(2, 3)), dim=1)
