"""Convert tensors between sRGB and CIE Lab (D65, 2 degree observer), with the constants of scikit-image."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from translate.mixed_precision import without_autocast

# The constants of scikit-image's `rgb2lab`, from IEC 61966-2-1.
RGB_TO_XYZ = ((0.412453, 0.357580, 0.180423), (0.212671, 0.715160, 0.072169), (0.019334, 0.119193, 0.950227))
WHITE_POINT = (0.95047, 1.0, 1.08883)
# Networks get Lab normalized to [-1, 1]: L / 50 - 1, a / 110 and b / 110.
L_RANGE, AB_RANGE = 100.0, 110.0


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert (N, 3, H, W) sRGB in [-1, 1] to Lab: L in [0, 100], a and b in about [-110, 110]."""
    rgb = (rgb + 1) / 2
    linear = torch.where(rgb > 0.04045, ((rgb.clamp_min(0) + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    x, y, z = _multiply(linear, "to XYZ")
    x, y, z = (
        torch.where(t > 0.008856, t.clamp_min(0.008856).pow(1 / 3), 7.787 * t + 16 / 116) for t in (x, y, z)
    )
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def lab_to_rgb(lab: Tensor) -> Tensor:
    """Convert (N, 3, H, W) Lab to sRGB, the inverse of `rgb_to_lab`; colours outside sRGB exceed [-1, 1]."""
    light, a, b = lab.unbind(1)
    y = (light + 16) / 116
    x, z = y + a / 500, y - b / 200
    x, y, z = (torch.where(t > 0.2068966, t**3, (t - 16 / 116) / 7.787) for t in (x, y, z))
    xyz = torch.stack([x, y, z], dim=1)
    linear = torch.stack(_multiply(xyz, "to RGB"), dim=1)
    power = 1.055 * linear.clamp_min(0.0031308) ** (1 / 2.4) - 0.055
    return 2 * torch.where(linear > 0.0031308, power, 12.92 * linear) - 1


def _multiply(channels: Tensor, direction: str) -> tuple[Tensor, ...]:
    """Multiply the three channels of each pixel by a matrix, and return the three results."""
    matrix = _matrix(direction, channels.device, channels.dtype)
    # In half precision, a and b were wrong by up to 2.
    with without_autocast(channels.device):
        return torch.einsum("kc,nchw->nkhw", matrix, channels).unbind(1)


@cache
def _matrix(direction: str, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the matrix from linear RGB to XYZ relative to white, or back ("to XYZ", "to RGB").

    It is cached on the device, because a captured step must not copy from the host.
    """
    with torch.inference_mode(False):
        to_xyz, white = torch.tensor(RGB_TO_XYZ), torch.tensor(WHITE_POINT)
        matrix = to_xyz / white[:, None]
        if direction == "to RGB":
            matrix = torch.linalg.inv(to_xyz.double()).float() * white
        return matrix.to(device, dtype)


def split_lab(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Convert (N, 3, H, W) sRGB to L (N, 1, H, W) and ab (N, 2, H, W), all in [-1, 1]."""
    lab = rgb_to_lab(rgb)
    return lab[:, :1] / (L_RANGE / 2) - 1, lab[:, 1:] / AB_RANGE


def join_lab(light: Tensor, chroma: Tensor) -> Tensor:
    """Convert L (N, 1, H, W) and ab (N, 2, H, W) in [-1, 1] to sRGB (N, 3, H, W), which is not clipped."""
    return lab_to_rgb(torch.cat([(light + 1) * (L_RANGE / 2), chroma * AB_RANGE], dim=1))
