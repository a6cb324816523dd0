"""A checkpoint of the CycleGAN and pix2pix authors' code, once imported, gives the output of their code."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open

from translate.models import Model
from translate.models.reference import describe, import_reference

BATCH, INSTANCE = "4 channels, batch norm", "8 channels, instance norm"
DESCRIPTIONS = {
    "colorization_unet_128_batch": f"U-Net, 7 levels, {BATCH}, 1 -> 2 channels (Lab), running statistics",
    "cut_resnet_6blocks": "ResNet, 6 blocks, 4 channels, instance norm, antialiased, 3 -> 3 channels",
    "cut_resnet_9blocks": f"ResNet, 9 blocks, {INSTANCE}, antialiased, 3 -> 3 channels",
    "cut_resnet_9blocks_no_antialias": "ResNet, 9 blocks, 4 channels, instance norm, 3 -> 3 channels",
    "resnet_6blocks_instance": f"ResNet, 6 blocks, {INSTANCE}, 3 -> 3 channels",
    "resnet_9blocks_batch": "ResNet, 9 blocks, 8 channels, batch norm, 3 -> 3 channels, running statistics",
    "resnet_9blocks_instance": f"ResNet, 9 blocks, {INSTANCE}, 3 -> 3 channels",
    "resnet_9blocks_instance_dropout": f"ResNet, 9 blocks, {INSTANCE}, dropout, 3 -> 3 channels",
    "unet_128_batch": f"U-Net, 7 levels, {BATCH}, 3 -> 3 channels, running statistics",
    "unet_128_instance": "U-Net, 7 levels, 4 channels, instance norm, 3 -> 3 channels",
    "unet_256_batch_dropout": f"U-Net, 8 levels, {BATCH}, 3 -> 3 channels, running statistics",
}


def load_golden(folder: Path, name: str) -> dict[str, torch.Tensor]:
    """Load a reference generator's weights (`state_dict/...`), an input and its outputs."""
    with safe_open(folder / "reference" / f"G_{name}.safetensors", "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no plain iteration


def save_checkpoint(tensors: dict[str, torch.Tensor], path: Path) -> Path:
    prefix = "state_dict/"
    torch.save({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}, path)
    return path


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_an_imported_generator_gives_the_output_of_the_reference(
    real_data: Path, tmp_path: Path, name: str
) -> None:
    tensors = load_golden(real_data, name)
    model = import_reference(save_checkpoint(tensors, tmp_path / "latest_net_G.pth"))
    assert describe(model.config) == DESCRIPTIONS[name]
    model.save_pretrained(tmp_path / "model")
    output = Model.from_pretrained(tmp_path / "model").generator()(tensors["input"])
    assert (output - tensors["output_eval"]).abs().max() <= 1e-5
    assert (output - tensors["output_eval"]).norm() <= 1e-5 * tensors["output_eval"].norm()


def test_batch_norm_with_image_statistics_is_that_of_the_reference_in_training_mode(
    real_data: Path, tmp_path: Path
) -> None:
    """Without `--eval`, the reference's test script normalizes as in training, one image at a time."""
    tensors = load_golden(real_data, "unet_128_batch")
    path = save_checkpoint(tensors, tmp_path / "latest_net_G.pth")
    per_image = import_reference(path, statistics="picture").generator()
    running = import_reference(path, statistics="running").generator()
    image = tensors["input"][:1]
    expected = running.train()(image)
    assert (per_image(image) - expected).norm() <= 1e-5 * expected.norm()
    assert not torch.allclose(per_image(image), tensors["output_eval"][:1], atol=1e-5)
