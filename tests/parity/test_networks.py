"""Our networks are the reference's functions: its weights in, its outputs out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from tests.parity.reference_keys import load_reference
from translate.networks import PatchGAN, PixelDiscriminator, ResNet, UNet

GENERATORS = [
    "colorization_unet_128_batch",
    "resnet_6blocks_instance",
    "resnet_9blocks_batch",
    "resnet_9blocks_instance",
    "resnet_9blocks_instance_dropout",
    "unet_128_batch",
    "unet_128_instance",
    "unet_256_batch_dropout",
]
DISCRIMINATORS = ["basic_batch_6ch", "basic_instance_3ch", "pixel_batch_6ch"]


def build(about: dict[str, str]) -> torch.nn.Module:
    norm, channels = about["norm"], int(about["input_nc"])
    if about["kind"] == "discriminator":
        kind = {"basic": PatchGAN, "pixel": PixelDiscriminator}[about["arch"]]
        return kind(channels, width=int(about["ndf"]), norm=norm)
    kind, depth = {
        "resnet_6blocks": (ResNet, 6),
        "resnet_9blocks": (ResNet, 9),
        "unet_128": (UNet, 7),
        "unet_256": (UNet, 8),
    }[about["arch"]]
    width, dropout = int(about["ngf"]), about["dropout"] == "True"
    return kind(channels, int(about["output_nc"]), width=width, depth=depth, norm=norm, dropout=dropout)


@pytest.mark.parametrize("name", [f"G_{n}" for n in GENERATORS] + [f"D_{n}" for n in DISCRIMINATORS])
def test_outputs_equal_the_references(real_data: Path, name: str) -> None:
    with safe_open(real_data / "reference" / f"{name}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no plain iteration
        network = build(file.metadata())
    weights = {k.removeprefix("state_dict/"): v for k, v in tensors.items() if k.startswith("state_dict/")}
    load_reference(network, weights)
    with torch.no_grad():
        outputs = {"output_eval": network.eval()(tensors["input"])}
        if "output_train" in tensors:
            outputs["output_train"] = network.train()(tensors["input"])
    for which, output in outputs.items():
        assert (output - tensors[which]).abs().max() <= 1e-5
        assert (output - tensors[which]).norm() <= 1e-5 * tensors[which].norm()


@pytest.mark.parametrize(
    ("network", "count"),
    [
        (lambda: UNet(depth=8), 54_413_955),
        (lambda: UNet(depth=7), 41_828_995),
        (lambda: ResNet(depth=9), 11_378_179),
        (lambda: ResNet(depth=6), 7_837_699),
        (lambda: PatchGAN(6, norm="batch"), 2_768_705),
        (lambda: PatchGAN(3, norm="instance"), 2_764_737),
    ],
)
def test_parameter_counts_equal_the_references(network, count: int) -> None:
    with torch.device("meta"):
        assert sum(weight.numel() for weight in network().parameters()) == count
