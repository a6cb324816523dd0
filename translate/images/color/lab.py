"""CIE Lab (D65, 2 degrees) and sRGB, with the constants of scikit-image, as functions of tensors."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

# scikit-image's, of IEC 61966-2-1
RGB_TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
WHITE_POINT = (0.95047, 1.0, 1.08883)
LIGHTEST, CHROMATIC = 100.0, 110.0  # what L and what a or b are in [-1, 1]: L / 50 - 1, ab / 110


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert (N, 3, H, W) sRGB in [-1, 1] to L in [0, 100], a and b in about [-110, 110]."""
    rgb = (rgb + 1) / 2
    linear = torch.where(rgb > 0.04045, ((rgb.clamp_min(0) + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    x, y, z = _mixed(linear, "to XYZ")
    x, y, z = (
        torch.where(t > 0.008856, t.clamp_min(0.008856).pow(1 / 3), 7.787 * t + 16 / 116) for t in (x, y, z)
    )
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Convert as `rgb_to_lab`, the other way; colours that sRGB lacks lie outside of [-1, 1]."""
    light, a, b = lab.unbind(1)
    y = (light + 16) / 116
    x, z = y + a / 500, y - b / 200
    x, y, z = (torch.where(t > 0.2068966, t**3, (t - 16 / 116) / 7.787) for t in (x, y, z))
    xyz = torch.stack([x, y, z], dim=1)
    linear = torch.stack(_mixed(xyz, "to RGB"), dim=1)
    bent = 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return 2 * torch.where(linear > 0.0031308, bent, 12.92 * linear) - 1


def _mixed(channels: Tensor, way: str) -> tuple[Tensor, ...]:
    """Multiply each pixel's three channels by a matrix."""
    mixed = torch.einsum("kc,nchw->nkhw", _matrix(way, channels.device, channels.dtype), channels)
    return mixed.unbind(1)


@cache
def _matrix(way: str, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return a matrix on a device, where it stays: a captured step brings nothing from the host."""
    with torch.inference_mode(False):
        to_xyz, white = torch.tensor(RGB_TO_XYZ), torch.tensor(WHITE_POINT)
        matrix = to_xyz / white[:, None]
        if way == "to RGB":
            matrix = torch.linalg.inv(to_xyz.double()).float() * white
        return matrix.to(device, dtype)


def split_lab(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Convert (N, 3, H, W) sRGB to lightness (N, 1, H, W) and a, b (N, 2, H, W), all in [-1, 1]."""
    lab = rgb_to_lab(rgb)
    return lab[:, :1] / (LIGHTEST / 2) - 1, lab[:, 1:] / CHROMATIC


def join_lab(light: Tensor, chroma: Tensor) -> Tensor:
    """Convert (N, 1, H, W) and (N, 2, H, W) in [-1, 1] to sRGB (N, 3, H, W), not clipped."""
    return lab_to_rgb(torch.cat([(light + 1) * (LIGHTEST / 2), chroma * CHROMATIC], dim=1))
