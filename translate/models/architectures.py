"""Recognize networks of other projects by the names of their layers, to say which one a file holds."""

from __future__ import annotations

import re
from collections.abc import Iterable

# What a file holds, and the patterns that its keys must match: each pattern, at least one key.
NETWORKS: list[tuple[str, tuple[str, ...]]] = [
    ("pix2pixHD's generator (local enhancer)", (r"\bmodel1_1\.1\.weight$",)),
    ("pix2pixHD's generator", (r"\bmodel\.10\.weight$", r"\bconv_block\.1\.weight$")),
    ("SPADE's generator", (r"\bhead_0\.", r"\bmlp_shared\.")),
    ("StarGAN v2's generator", (r"\bfrom_rgb\.weight$", r"\bto_rgb\.")),
    ("StarGAN's generator", (r"\bmain\.0\.weight$", r"\bmain\.\d+\.main\.\d+\.weight$")),
    ("StarGAN's discriminator", (r"\bmain\.0\.weight$", r"\bconv[12]\.weight$")),
    ("MUNIT's generator", (r"\benc_style\.", r"\benc_content\.")),
    ("UNIT's generator", (r"\benc\.model\.", r"\bdec\.model\.")),
    ("U-GAT-IT's generator", (r"\bgap_fc\.weight", r"\bDownBlock\.")),
    ("GANILLA's generator", (r"\bfpn\.", r"\blayer1\.0\.conv1\.")),
    ("AnimeGAN's generator", (r"\bblock_a\.0\.", r"\bout_layer\.0\.")),
    ("ESRGAN's generator", (r"\b[rR][dD][bB]1\.conv1\b",)),
    ("pix2pix-turbo or CycleGAN-turbo", (r"\b(state_dict_unet|sd_encoder|state_dict_vae)\b",)),
    ("a diffusion model", (r"\bdiffusion_model\.|\bdown_blocks\.0\.resnets\.",)),
    ("StyleGAN's generator", (r"\bsynthesis\.|\bmodulation\.",)),
    ("DeOldify's generator", (r"\blayers\.0\.0\.weight$", r"\blayers\.\d+\.shuf\.")),
    ("a network of fast style transfer", (r"\bconv1\.conv2d\.weight$",)),
    ("PyTorch-GAN's ResNet", (r"\bblock\.1\.weight$", r"\bmodel\.2[58]\.weight$")),
    ("PyTorch-GAN's U-Net", (r"\bdown1\.model\.0\.weight$", r"\bup1\.model\.0\.weight$")),
    ("CUT's feature network", (r"\bmlp_\d+\.0\.weight$",)),
    ("a discriminator", (r"(?<!model\.)\b(model|net)\.0\.weight$",)),
    ("a discriminator of several scales", (r"\b(scale\d_)?layer0\.(model\.)?0\.|\bdiscriminator_0\.",)),
]


def name_network(keys: Iterable[str]) -> str:
    """Return what a state dict with these keys belongs to, or an empty string."""
    keys = list(keys)

    def matches(pattern: str) -> bool:
        return any(re.search(pattern, key) for key in keys)

    return next((name for name, patterns in NETWORKS if all(map(matches, patterns))), "")
