"""With the weights of the CycleGAN and pix2pix authors' networks, our networks give the same outputs."""

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


def create_network(settings: dict[str, str]) -> torch.nn.Module:
    """Create our network for the reference's settings (`arch`, `input_nc`, `ngf`, ...)."""
    norm, channels = settings["norm"], int(settings["input_nc"])
    if settings["kind"] == "discriminator":
        network_class = {"basic": PatchGAN, "pixel": PixelDiscriminator}[settings["arch"]]
        return network_class(channels, width=int(settings["ndf"]), norm=norm)
    network_class, depth = {
        "resnet_6blocks": (ResNet, 6),
        "resnet_9blocks": (ResNet, 9),
        "unet_128": (UNet, 7),
        "unet_256": (UNet, 8),
    }[settings["arch"]]
    width, dropout = int(settings["ngf"]), settings["dropout"] == "True"
    out_channels = int(settings["output_nc"])
    return network_class(channels, out_channels, width=width, depth=depth, norm=norm, dropout=dropout)


@pytest.mark.parametrize("name", [f"G_{n}" for n in GENERATORS] + [f"D_{n}" for n in DISCRIMINATORS])
def test_outputs_equal_those_of_the_reference(real_data: Path, name: str) -> None:
    with safe_open(real_data / "reference" / f"{name}.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no plain iteration
        network = create_network(file.metadata())
    weights = {k.removeprefix("state_dict/"): v for k, v in tensors.items() if k.startswith("state_dict/")}
    load_reference(network, weights)
    with torch.no_grad():
        outputs = {"output_eval": network.eval()(tensors["input"])}
        if "output_train" in tensors:
            outputs["output_train"] = network.train()(tensors["input"])
    for mode, output in outputs.items():
        assert (output - tensors[mode]).abs().max() <= 1e-5
        assert (output - tensors[mode]).norm() <= 1e-5 * tensors[mode].norm()


@pytest.mark.parametrize(
    ("create", "count"),
    [
        (lambda: UNet(depth=8), 54_413_955),
        (lambda: UNet(depth=7), 41_828_995),
        (lambda: ResNet(depth=9), 11_378_179),
        (lambda: ResNet(depth=6), 7_837_699),
        (lambda: PatchGAN(6, norm="batch"), 2_768_705),
        (lambda: PatchGAN(3, norm="instance"), 2_764_737),
    ],
)
def test_parameter_counts_equal_those_of_the_reference(create, count: int) -> None:
    with torch.device("meta"):
        assert sum(weight.numel() for weight in create().parameters()) == count
