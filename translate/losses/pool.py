"""The pool of generated images that steadies a discriminator (arXiv:1612.07828, section 2.3)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class ImagePool(nn.Module):
    """An image pool that keeps the last generated images and returns older ones half of the time.

    It is filled first; then each new image is returned itself or, with p 0.5, takes the place of a stored
    one, which is returned. The images lie in one tensor, and nothing is read on the host, so that a step
    with a pool can be captured.

    Args:
        size: images kept; 0 returns every image as it is.
    """

    images: Tensor
    count: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.register_buffer("images", torch.empty(0))
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def forward(self, images: Tensor, draws: Tensor) -> Tensor:
        """Exchange images with the pool.

        Images of another size than the first ones are returned as they are: one tensor holds one size.

        Args:
            images: (N, C, H, W).
            draws: (N, 2) of U(0, 1): whether each is exchanged, and with which of the stored.

        Returns:
            (N, C, H, W), each new or stored, without gradient.
        """
        images = images.detach()
        if self.size and not len(self.images):
            self.images = images.new_zeros(self.size, *images.shape[1:])
        if self.size == 0 or self.images.shape[1:] != images.shape[1:]:
            return images
        return torch.stack([self._exchange(image, draw) for image, draw in zip(images, draws, strict=True)])

    def _exchange(self, image: Tensor, draw: Tensor) -> Tensor:
        exchange, place = draw
        filling = self.count < self.size
        drawn = (place * self.size).long().clamp(max=self.size - 1)
        slot = torch.where(filling, self.count, drawn)[None]
        (stored,) = self.images.index_select(0, slot).to(image)
        new = filling | (exchange < 0.5)
        self.images.index_copy_(
            0, slot, torch.where(new & ~filling, stored, image)[None].to(self.images.dtype)
        )
        self.count.add_(filling)
        return torch.where(new, image, stored)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        stored = state_dict.get(f"{prefix}images")
        if stored is not None and len(stored):  # as many as there were; the shape is theirs
            room = stored.new_zeros(self.size, *stored.shape[1:])
            room[: len(stored)] = stored
            state_dict[f"{prefix}images"] = room
            self.images = torch.empty_like(room, device=self.count.device)
        super()._load_from_state_dict(state_dict, prefix, *args)
