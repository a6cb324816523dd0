"""The image pool: a replay buffer of generated images (arXiv:1612.07828, section 2.3)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class ImagePool(nn.Module):
    """An image pool, the replay buffer of CycleGAN: it returns an older generated image half of the time.

    The pool is filled first. Then each new image is returned itself or, with probability 0.5, replaces a
    stored image, which is returned. The images lie in one tensor and no value is read on the host, so that a
    training step with a pool can be captured.

    Args:
        size: images that it stores; 0 returns every image as it is.
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
        """Exchange generated images with the pool, one after the other.

        The first batch sets the size of the stored images; images of another size are returned as they are.

        Args:
            images: (N, C, H, W).
            draws: (N, 2) of U(0, 1): one decides whether an image is exchanged, one with which stored image.

        Returns:
            (N, C, H, W), each image new or stored, without gradient.
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
        random_slot = (place * self.size).long().clamp(max=self.size - 1)
        slot = torch.where(filling, self.count, random_slot)[None]
        (stored,) = self.images.index_select(0, slot).to(image)
        return_new = filling | (exchange < 0.5)
        self.images.index_copy_(
            0, slot, torch.where(return_new & ~filling, stored, image)[None].to(self.images.dtype)
        )
        self.count.add_(filling)
        return torch.where(return_new, image, stored)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        """Make room for the stored images, whose number and shape only the state dict tells.

        A pool that has room for such images keeps it, because a captured step expects them there.
        """
        stored = state_dict.get(f"{prefix}images")
        if stored is not None and len(stored):
            room = stored.new_zeros(self.size, *stored.shape[1:])
            room[: len(stored)] = stored
            state_dict[f"{prefix}images"] = room
            if self.images.shape != room.shape:
                self.images = torch.empty_like(room, device=self.count.device)
        elif stored is not None:  # A pool before its first step; its count is 0, so that it fills up again.
            state_dict[f"{prefix}images"] = self.images
        super()._load_from_state_dict(state_dict, prefix, *args)
