"""The settings of PatchNCE: which layers of which generator it compares."""

from __future__ import annotations

import pytest

from translate.errors import UsageError
from translate.methods.building import build_generator, build_projection
from translate.methods.dclgan.config import DCLGANConfig
from translate.networks import ResNet

SMALL = {"ngf": 2, "ndf": 2, "image_size": 32}


@pytest.mark.parametrize(
    ("settings", "layers"),
    [
        ({}, (4, 8, 12, 16)),
        ({"blocks": 4}, (4, 8, 12)),  # Layer 16 is the fifth block.
        ({"blocks": 0, "downsample": "strided"}, (4, 8)),
        ({"nce_layers": "0, 13"}, (0, 13)),
    ],
)
def test_the_layers_are_those_published_as_far_as_the_blocks_reach(
    settings: dict[str, object], layers: tuple[int, ...]
) -> None:
    c = DCLGANConfig(**SMALL, **settings)
    assert c.feature_layers == layers
    generator = build_generator(c)
    assert isinstance(generator, ResNet)
    assert c.layer_count == len(generator.encoder) + len(generator.blocks)
    assert len(build_projection(c, generator).mlps) == len(layers)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"generator": "unet"}, r"generator is 'unet', but must be resnet$"),
        ({"nce_layers": "4,eight"}, r"nce_layers.* '4,eight'.* 4,8,12,16"),
        ({"nce_layers": "8,4"}, r"nce_layers 8,4 must ascend.* --nce-layers 4,8,12,16"),
        ({"nce_layers": "4,18"}, r"nce_layers 4,18 .* 0 to 17 .* 6 blocks"),
        ({"nce_layers": "-1,4"}, r"nce_layers -1,4 .* 0 to 17"),
        ({"nce_layers": ""}, "nce_layers"),
        ({"in_channels": 1, "out_channels": 3}, r"in_channels 1 .* out_channels 3 .* both"),
        ({"init_back": "model"}, r"init_back model .* use --init"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DCLGANConfig(**SMALL, **settings)
