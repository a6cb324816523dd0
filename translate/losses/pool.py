"""The pool of generated pictures that steadies a discriminator (arXiv:1612.07828, section 2.3)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class ImagePool(nn.Module):
    """Keeps the last generated pictures and shows the discriminator older ones half of the time.

    Its pictures and its random state are part of the module's state, so that training resumes
    with the same pool.

    Args:
        size: pictures kept; 0 hands every picture through.
        seed: start of its random draws.
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        super().__init__()
        self.size = size
        self.images: list[Tensor] = []
        self.random = torch.Generator().manual_seed(seed)

    def forward(self, images: Tensor) -> Tensor:
        """(N, C, H, W) new pictures -> (N, C, H, W), each new or stored, without gradient."""
        images = images.detach()
        if self.size == 0:
            return images
        return torch.stack([self._exchange(image) for image in images])

    def _exchange(self, image: Tensor) -> Tensor:
        """Fill the pool first; then return the new picture or, with p 0.5, a stored one it replaces."""
        if len(self.images) < self.size:
            self.images.append(image.clone())
            return image
        if torch.rand((), generator=self.random) < 0.5:
            return image
        place = int(torch.randint(self.size, (), generator=self.random))
        stored, self.images[place] = self.images[place], image.clone()
        return stored.to(image.device)

    def get_extra_state(self) -> dict[str, Any]:
        return {"images": self.images, "random": self.random.get_state()}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.images = [image.clone() for image in state["images"]]
        self.random.set_state(state["random"])
