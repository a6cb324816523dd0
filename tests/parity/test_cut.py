"""CUT's and FastCUT's networks and training steps give the numbers of the authors' code."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from tests.parity.reference_keys import load_reference
from translate.networks import PatchGAN, ResNet
from translate.networks.blocks import BlurPool, upsampling

LAYERS = (0, 4, 8, 12, 16)
BLUR = {"downsample": "blur", "upsample": "blur"}
GENERATORS = {
    "resnet_9blocks": {"width": 8, "depth": 9, **BLUR},
    "resnet_6blocks": {"width": 4, "depth": 6, **BLUR},
    "resnet_9blocks_no_antialias": {"width": 4, "depth": 9},
}


def load(folder: Path, name: str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a file."""
    with safe_open(folder / "reference" / f"{name}.safetensors", "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, file.metadata()  # noqa: SIM118


def select(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def assert_near(value: Tensor, expected: Tensor, tolerance: float = 1e-5) -> None:
    """Compare relative to the largest value, and as a whole."""
    assert value.shape == expected.shape
    assert (value - expected).abs().max() <= tolerance * max(1, expected.abs().max())
    assert (value - expected).norm() <= tolerance * expected.norm()


@pytest.mark.parametrize("kind", ["down", "up"])
def test_blurs_and_their_gradients(real_data: Path, kind: str) -> None:
    tensors, _ = load(real_data, "blur_cut")
    layer: nn.Module = BlurPool()
    if kind == "up":
        layer = upsampling("blur", 3, 3, 3, bias=False)[0]
    for size in range(3):
        image = tensors[f"input/{size}"].requires_grad_()
        output = layer(image)
        output.backward(tensors[f"{kind}_cotangent/{size}"])
        assert_near(output, tensors[f"{kind}/{size}"], 1e-14)
        assert_near(image.grad, tensors[f"{kind}_grad/{size}"], 1e-14)


@pytest.mark.parametrize("name", GENERATORS)
def test_a_generator_and_its_features(real_data: Path, name: str) -> None:
    tensors, _ = load(real_data, f"G_cut_{name}")
    network = ResNet(**GENERATORS[name])
    load_reference(network, select(tensors, "state_dict/"))
    with torch.no_grad():
        output, features = network(tensors["input"], LAYERS)
        encoded = network(tensors["input"], LAYERS, decode=False)
        alone = network(tensors["input"], LAYERS[:3], decode=False)
    assert_near(output, tensors["output_eval"])
    for layer, feature, same in zip(LAYERS, features, encoded, strict=True):
        assert_near(feature, tensors[f"feat/{layer}"])
        assert same.equal(feature)
    if "feat_alone/8" in tensors:  # Nothing follows that would change it in place.
        assert_near(alone[2], tensors["feat_alone/8"])


def test_an_antialiased_discriminator(real_data: Path) -> None:
    tensors, _ = load(real_data, "D_cut_basic")
    network = PatchGAN(width=8, downsample="blur")
    load_reference(network, select(tensors, "state_dict/"))
    assert {key.split(".")[1] for key in network.state_dict()} == {"0", "3", "7", "11", "14"}
    with torch.no_grad():
        assert_near(network(tensors["input"]), tensors["output_eval"])
