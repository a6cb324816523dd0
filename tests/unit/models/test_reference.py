"""Import of CycleGAN and pix2pix generators by their authors: every variant, and refusal of other files."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.reference_generators import ReferenceGenerator, resnet, unet
from translate.errors import DataError, UsageError
from translate.models import Model
from translate.models.reference import describe, import_reference
from translate.networks.blocks import BatchNorm

StateDict = dict[str, Tensor]


@pytest.fixture(autouse=True)
def seed() -> None:
    torch.manual_seed(0)


def save(content: Any, path: Path) -> Path:
    torch.save(content, path)
    return path


def assert_same_output(model: Model, generator: nn.Module) -> None:
    x = torch.rand(2, model.config.in_channels, 64, 64) * 2 - 1
    expected, output = generator(x.clone()), model.generator()(x)
    assert expected.std() > 0.01
    torch.testing.assert_close(output, expected, rtol=1e-5, atol=1e-5)


VARIANTS: dict[str, tuple[Callable[[], ReferenceGenerator], str]] = {
    "no norm": (lambda: resnet("none"), "ResNet, 2 blocks, 4 channels, no norm, 3 -> 3 channels"),
    "dropout": (
        lambda: resnet("batch", dropout=True),
        "ResNet, 2 blocks, 4 channels, batch norm, dropout, 3 -> 3 channels, running statistics",
    ),
    "batch norm": (
        lambda: resnet("batch", width=8, depth=1),
        "ResNet, 1 blocks, 8 channels, batch norm, 3 -> 3 channels, running statistics",
    ),
    "gray": (
        lambda: resnet(channels=(1, 1)),
        "ResNet, 2 blocks, 4 channels, instance norm, 1 -> 1 channels",
    ),
    "affine": (
        lambda: resnet("instance-affine", dropout=True),
        "ResNet, 2 blocks, 4 channels, affine instance norm, dropout, 3 -> 3 channels",
    ),
    "old": (
        lambda: resnet("old instance"),
        "ResNet, 2 blocks, 4 channels, instance norm, 3 -> 3 channels",
    ),
    "old affine": (
        lambda: resnet("old instance-affine"),
        "ResNet, 2 blocks, 4 channels, affine instance norm, 3 -> 3 channels",
    ),
    "no blocks": (
        lambda: resnet(depth=0),
        "ResNet, 0 blocks, 4 channels, instance norm, 3 -> 3 channels",
    ),
    "U-Net, no norm": (lambda: unet("none"), "U-Net, 5 levels, 4 channels, no norm, 3 -> 3 channels"),
    "U-Net, affine": (
        lambda: unet("instance-affine", width=8),
        "U-Net, 5 levels, 8 channels, affine instance norm, 3 -> 3 channels",
    ),
    "U-Net, old": (
        lambda: unet("old instance", channels=(4, 3)),
        "U-Net, 5 levels, 4 channels, instance norm, 4 -> 3 channels",
    ),
    "U-Net, dropout": (
        lambda: unet("batch", depth=6, dropout=True),
        "U-Net, 6 levels, 4 channels, batch norm, 3 -> 3 channels, running statistics",
    ),
    "U-Net, color": (
        lambda: unet("batch", channels=(1, 2)),
        "U-Net, 5 levels, 4 channels, batch norm, 1 -> 2 channels (Lab), running statistics",
    ),
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_of_the_generators_is_recognized(variant: str, tmp_path: Path) -> None:
    create, description = VARIANTS[variant]
    generator = create()
    model = import_reference(save(generator.state_dict(), tmp_path / "latest_net_G.pth"))
    assert describe(model.config) == description
    assert_same_output(model, generator)
    model.save_pretrained(tmp_path / "model")
    assert_same_output(Model.from_pretrained(tmp_path / "model"), generator)


def test_files_from_data_parallel_training_and_old_torch_are_imported(tmp_path: Path) -> None:
    generator = unet("batch")
    state = {f"module.{k}": v for k, v in generator.state_dict().items() if "num_batches_tracked" not in k}
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert_same_output(import_reference(tmp_path / "old.pth"), generator)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_weights_of_another_dtype_become_float32(dtype: torch.dtype, tmp_path: Path) -> None:
    generator = unet("batch").to(dtype)
    model = import_reference(save(generator.state_dict(), tmp_path / "latest_net_G.pth"))
    assert {weight.dtype for weight in model.parameters()} == {torch.float32}
    assert_same_output(model, generator.float())


def test_the_config_has_the_settings_of_inference(tmp_path: Path) -> None:
    color = import_reference(save(unet(channels=(1, 2)).state_dict(), tmp_path / "color.pth")).config
    assert color.kind == "colorization"
    assert (color.color, color.size_multiple, color.statistics) == ("Lab", 32, "running")
    assert (color.method, color.trained_on) == ("", {"imported_from": "color.pth"})
    horse = import_reference(save(resnet().state_dict(), tmp_path / "horse.pth")).config
    assert (horse.color, horse.size_multiple, horse.statistics) == ("RGB", 4, "picture")


def test_batch_norm_uses_the_requested_statistics(tmp_path: Path) -> None:
    path = save(unet().state_dict(), tmp_path / "latest_net_G.pth")
    model = import_reference(path, statistics="picture")
    assert describe(model.config).endswith("3 -> 3 channels, each image's statistics")
    assert all(norm.per_image for norm in model.modules() if isinstance(norm, BatchNorm))


@pytest.mark.parametrize(
    ("name", "requested", "direction"),
    [
        ("latest_net_G.pth", None, "AtoB"),
        ("200_net_G_A.pth", None, "AtoB"),
        ("200_net_G_B.pth", None, "BtoA"),
        ("200_net_G_B.pth", "AtoB", "AtoB"),
        ("latest_net_G.pth", "BtoA", "BtoA"),
    ],
)
def test_the_direction_is_the_requested_one_or_that_of_the_file_name(
    name: str, requested: str | None, direction: str, tmp_path: Path
) -> None:
    model = import_reference(save(resnet(depth=0).state_dict(), tmp_path / name), direction=requested)
    assert list(model.config.routes) == list(model.generators) == [direction]


def without(state: StateDict, *keys: str) -> StateDict:
    return {key: value for key, value in state.items() if key not in keys}


def expand(state: StateDict) -> StateDict:
    """Return tensors of the same shapes that share one value each, as a file that would fill the memory."""
    return {key: value.new_zeros(1).expand(value.shape) for key, value in state.items()}


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a list": (lambda: [torch.zeros(1)], "it holds a list, not a dict of tensors"),
    "one tensor": (lambda: torch.zeros(1), "it holds a Tensor"),
    "nothing": (dict, "it is empty"),
    "no tensors": (lambda: {"epoch": 3, "state_dict": {}}, "it is empty, or holds no tensors"),
    "no names": (lambda: {1: torch.zeros(1)}, "its first key is '1'"),
    "optimizer": (
        lambda: torch.optim.Adam([nn.Parameter(torch.zeros(1))]).state_dict(),
        "it is an optimizer's state",
    ),
    "PatchGAN": (
        lambda: {"module.model.0.weight": torch.zeros(64, 3, 4, 4)},
        "it is a discriminator (key 'model.0.weight')",
    ),
    "pixel discriminator": (lambda: {"net.0.weight": torch.zeros(64, 3, 1, 1)}, "it is a discriminator"),
    "another network": (
        lambda: {"features.0.weight": torch.zeros(64, 3, 7, 7)},
        "its first key is 'features.0.weight', but a generator has a convolution 'model.1.weight'",
    ),
    "integers": (
        lambda: resnet().state_dict() | {"model.1.bias": torch.zeros(4, dtype=torch.int32)},
        "key 'model.1.bias' holds torch.int32",
    ),
    "sparse": (
        lambda: resnet().state_dict() | {"model.1.bias": torch.zeros(4).to_sparse()},
        "key 'model.1.bias' holds torch.float32, not dense",
    ),
    "no values": (
        lambda: resnet().state_dict() | {"model.1.bias": torch.zeros(4, device="meta")},
        "key 'model.1.bias' holds torch.float32, not dense",
    ),
    "infinity": (
        lambda: resnet().state_dict() | {"model.19.bias": torch.full((3,), float("inf"))},
        "key 'model.19.bias' contains NaN or Inf",
    ),
    "NaN": (
        lambda: unet().state_dict() | {"model.model.3.bias": torch.full((3,), float("nan"))},
        "key 'model.model.3.bias' contains NaN or Inf",
    ),
    "shared values": (lambda: expand(resnet().state_dict()), "save it again with torch.save"),
    "another shape": (
        lambda: resnet().state_dict() | {"model.4.weight": torch.zeros(8, 4, 4, 4)},
        "key 'model.4.weight' has shape (8, 4, 4, 4), not (8, 4, 3, 3)",
    ),
    "one key less": (
        lambda: without(unet().state_dict(), "model.model.1.model.3.model.2.running_var"),
        "key 'model.model.1.model.3.model.2.running_var' is missing, which belongs to a U-Net, 5 levels",
    ),
    "no last bias": (
        lambda: without(resnet("none").state_dict(), "model.19.bias"),
        "key 'model.19.bias' is missing",
    ),
    "another filter": (
        lambda: resnet(antialias=True).state_dict() | {"model.7.filt": torch.full((8, 1, 3, 3), 1 / 9)},
        "key 'model.7.filt' is another filter than CUT's",
    ),
    "one key more": (
        lambda: unet().state_dict() | {"model.model.5.weight": torch.zeros(1)},
        "key 'model.model.5.weight' does not belong",
    ),
    "statistics of a layer without a norm": (
        lambda: resnet().state_dict() | {"model.1.running_mean": torch.zeros(4)},
        "key 'model.1.running_mean' does not belong",
    ),
    "too wide": (lambda: {"model.1.weight": torch.zeros(1025, 1, 7, 7)}, "is 1025, but must be from 1"),
    "too deep": (
        lambda: {
            "model.model.0.weight": torch.zeros(1, 1, 4, 4),
            "model.model.1.model.1.weight": torch.zeros(2, 1, 4, 4),
            "model.model.1" + 60 * ".model.3": torch.zeros(1),
        },
        "does not belong to a U-Net, 61 levels",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_that_is_not_a_generator_is_refused_in_one_line(name: str, tmp_path: Path) -> None:
    create, reason = REFUSED[name]
    assert_refused(save(create(), tmp_path / "latest_net_G.pth"), reason)


def assert_refused(path: Path, reason: str, error: type[Exception] = DataError) -> None:
    with pytest.raises(error) as refusal:
        import_reference(path)
    message = str(refusal.value)
    assert reason in message
    assert str(path) in message
    assert "\n" not in message


class RunsCode:
    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("ran",)


def test_a_pickle_does_not_run_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(save({"model.1.weight": RunsCode()}, tmp_path / "bad.pth"), "could run code")
    assert_refused(save(resnet(), tmp_path / "whole.pth"), "torch.save(model.state_dict(), 'generator.pth')")
    assert_refused(
        tmp_path / "whole.pth", "a whole model (class tests.reference_generators.ReferenceGenerator)"
    )
    nested = save({"model": resnet(), "epoch": 3}, tmp_path / "nested.pth")
    assert_refused(nested, "torch.save(model['model'].state_dict(), 'generator.pth')")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"x", b"PK\x03\x04 no archive", b"\x80\x02", b"GIF89a"])
def test_a_file_that_is_not_a_checkpoint_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "latest_net_G.pth").write_bytes(content)
    assert_refused(tmp_path / "latest_net_G.pth", "it is damaged")


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    path = save(resnet().state_dict(), tmp_path / "latest_net_G.pth")
    path.write_bytes(path.read_bytes()[:-5000])
    assert_refused(path, "it is damaged")


def test_a_compressed_checkpoint_is_refused(tmp_path: Path) -> None:
    path = save({"model.1.weight": torch.zeros(2**20)}, tmp_path / "latest_net_G.pth")
    with (
        zipfile.ZipFile(path) as original,
        zipfile.ZipFile(tmp_path / "compressed.pth", "w", zipfile.ZIP_DEFLATED) as compressed,
    ):
        for name in original.namelist():
            compressed.writestr(name, original.read(name))
    assert_refused(tmp_path / "compressed.pth", "it is damaged")


def test_a_missing_file_a_folder_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    assert_refused(tmp_path / "gone.pth", "No such file or directory", UsageError)
    assert_refused(tmp_path, "holds no generator", UsageError)
    (tmp_path / "empty.pth").touch()
    assert_refused(tmp_path / "empty.pth", "is empty: copy or download it again")
