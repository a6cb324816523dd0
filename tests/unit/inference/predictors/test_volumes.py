"""Generate volumes from noise: samples, their files, and the export of their generator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from translate.config import GeneratorSpec, Route, VolumeModelConfig
from translate.errors import UsageError
from translate.images import read_rgb
from translate.inference import VolumeSampler, load_predictor, load_sampler
from translate.inference.predictors.volumes.gallery import save_volumes
from translate.inference.runtime.export import export, export_metadata
from translate.models import Model
from translate.networks import create_generator
from translate.volumes import read_volume


def create_model(gain: float = 3.0) -> Model:
    """Create a small model of volumes of 16 voxels a side; the gain is that of its last layer."""
    torch.manual_seed(0)
    spec = GeneratorSpec(name="gan3d", args={"in_channels": 5, "width": 4, "depth": 2})
    config = VolumeModelConfig(
        kind="volume",
        method="3dgan",
        generator=spec,
        domains=["volume"],
        routes={"sample": Route(target="volume", generator="sample")},
        statistics="running",
        size_multiple=1,
        volume_size=16,
        latent=5,
    )
    generator = create_generator(spec)
    with torch.no_grad():
        last = [module for module in generator.modules() if isinstance(module, nn.ConvTranspose3d)][-1]
        last.weight.mul_(gain)
    return Model(config, {"sample": generator})


@pytest.fixture
def sampler() -> VolumeSampler:
    return VolumeSampler(create_model(), device="cpu", precision="fp32")


def test_a_sample_depends_on_its_seed_and_its_index_only(sampler: VolumeSampler) -> None:
    few, many = sampler(sampler.draw(3, seed=7)), sampler(sampler.draw(9, seed=7))
    assert all(np.array_equal(a, b) for a, b in zip(few, many, strict=False))
    assert not np.array_equal(few[0], few[1])
    assert not np.array_equal(few[0], sampler(sampler.draw(1, seed=8))[0])
    assert few[0].shape == (16, 16, 16)
    assert few[0].dtype == np.float32
    assert 0 <= few[0].min() < 0.5 < few[0].max() <= 1


def test_the_noise_is_uniform_on_minus_1_to_1(sampler: VolumeSampler) -> None:
    noise = sampler.draw(500)
    assert -1 <= noise.min() < -0.99
    assert 0.99 < noise.max() <= 1


def test_numbers_out_of_range_and_noise_of_another_shape_are_refused(sampler: VolumeSampler) -> None:
    for arguments in ({"count": 0}, {"count": 1, "seed": -1}):
        with pytest.raises(UsageError, match="count"):
            sampler.draw(**arguments)
    for noise in (torch.zeros(5), torch.zeros(2, 4), torch.full((1, 5), torch.nan)):
        with pytest.raises(UsageError, match="N x 5"):
            sampler(noise)


def test_the_kind_of_the_model_decides_what_applies_it(sampler: VolumeSampler, tmp_path: Path) -> None:
    create_model().save_pretrained(tmp_path / "model")
    loaded = load_sampler(Model.from_pretrained(tmp_path / "model"), device="cpu", precision="fp32")
    assert isinstance(loaded, VolumeSampler)
    assert np.array_equal(loaded(loaded.draw(1))[0], sampler(sampler.draw(1))[0])
    with pytest.raises(UsageError, match="translate sample"):
        load_predictor(create_model(), device="cpu")


@pytest.mark.parametrize("mesh", ["obj", "stl"])
def test_each_volume_is_written_as_voxels_and_as_a_mesh(
    mesh: str, sampler: VolumeSampler, tmp_path: Path
) -> None:
    noise = sampler.draw(2, seed=1)
    line = save_volumes(sampler, noise, tmp_path / "out", mesh=mesh, overwrite=False)
    assert line == f"2 volumes in {tmp_path / 'out'}"
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == sorted(f"000{index}.{suffix}" for index in range(2) for suffix in ("npy", mesh))
    for index, volume in enumerate(sampler(noise)):
        written = read_volume(tmp_path / "out" / f"000{index}.npy", 16).volume
        assert np.array_equal(written, volume >= 0.5)
    with pytest.raises(UsageError, match=r"0000\.npy already exists.*--overwrite"):
        save_volumes(sampler, noise, tmp_path / "out", mesh=mesh, overwrite=False)


def test_an_empty_volume_has_no_mesh_and_is_named(tmp_path: Path) -> None:
    sampler = VolumeSampler(create_model(gain=0), device="cpu", precision="fp32")
    sampler.generator.body[-1] = nn.Hardshrink(1)  # From 0 to 0: nothing is occupied.
    line = save_volumes(sampler, sampler.draw(2), tmp_path / "out", overwrite=False)
    assert "no mesh, of 0000, 0001" in line
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0000.npy", "0001.npy"]


def test_the_name_of_an_image_gets_a_grid_of_pictures(sampler: VolumeSampler, tmp_path: Path) -> None:
    save_volumes(sampler, sampler.draw(5), tmp_path / "grid.png", overwrite=False)
    height, width, _ = read_rgb(tmp_path / "grid.png").shape
    assert (height // 128, width // 128) == (2, 3)
    with pytest.raises(UsageError, match=r"\.gif: the suffix"):
        save_volumes(sampler, sampler.draw(1), tmp_path / "grid.gif", overwrite=False)


def test_a_turntable_without_matplotlib_is_refused_before_anything_is_written(
    sampler: VolumeSampler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"translate-images\[volumes\]"):
        save_volumes(sampler, sampler.draw(1), tmp_path / "out", turntable_format="gif", overwrite=False)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_turntables(suffix: str, sampler: VolumeSampler, tmp_path: Path) -> None:
    pytest.importorskip(
        "matplotlib", reason="matplotlib is not installed: pip install 'translate-images[volumes]'"
    )
    from PIL import Image

    save_volumes(sampler, sampler.draw(1), tmp_path / "out", turntable_format=suffix, overwrite=False)
    with Image.open(tmp_path / "out" / f"0000.{suffix}") as animation:
        assert animation.n_frames > 10


@pytest.mark.parametrize("suffix", [".pt2", ".onnx"])
def test_an_exported_generator_takes_noise_and_returns_volumes(suffix: str, tmp_path: Path) -> None:
    model = create_model()
    result = export(model, tmp_path / f"model{suffix}")
    assert result.difference < 1e-5
    metadata = export_metadata(model, None)
    assert metadata["translate.inputs"] == "5 noise, uniform on [-1, 1]"
    assert metadata["translate.value_range"] == "0..1"
