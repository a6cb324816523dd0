"""Generate images from noise: sampling, truncation, latent interpolation, traversals, and their files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.unit.inference.making import StandInGraph
from translate.config import GenerationModelConfig, GeneratorSpec, Route
from translate.errors import UsageError
from translate.images.sheet import GAP
from translate.inference import Sampler, load_predictor
from translate.inference.predictors import generation
from translate.inference.predictors.gallery import (
    grid_columns,
    save_interpolation,
    save_mix,
    save_samples,
    save_traversals,
)
from translate.inference.predictors.generation import (
    draw_inputs,
    interpolate_latents,
    slerp,
    traversals,
)
from translate.inference.predictors.styles.mixing import mix_styles
from translate.inference.runtime.export import export, export_metadata
from translate.models import Model
from translate.networks import create_generator, initialize


def model(name: str = "dcgan", *, out_channels: int = 3, **settings: Any) -> Model:
    """Return a small model whose images have 16 pixels a side; those of BigGAN, by class, have 32."""
    torch.manual_seed(0)
    own: dict[str, Any] = {"depth": 2, **({"norm": "batch"} if name == "dcgan" else {})}
    if name == "biggan":
        settings["classes"] = ["a", "b"]
        own = {"depth": 3, "classes": 2, "attention": 16}
    inputs = 5 + len(settings.get("classes", ())) + settings.get("categories", 0) + settings.get("codes", 0)
    channels = {"in_channels": inputs, "out_channels": out_channels}
    if name in ("progan", "stylegan2"):
        own |= {"fmap_base": 32, "fmap_max": 8}
    else:
        own |= {"width": 4}
    styles = {}
    if name == "stylegan2":
        own["mapping_depth"], styles["styles"] = 1, 6
    spec = GeneratorSpec(name=name, args={**channels, **own})
    config = GenerationModelConfig(
        kind="generation",
        method="dcgan",
        generator=spec,
        domains=["image"],
        routes={"sample": Route(target="image", generator="sample")},
        latent=5,
        image_size=4 * 2 ** own["depth"],
        statistics="running",
        **channels,
        **styles,
        **settings,
    )
    generator = create_generator(spec)
    if name not in ("progan", "stylegan2"):  # whose layers have an equalized learning rate
        initialize(generator, gain=0.5)
    return Model(config, {"sample": generator})


@pytest.mark.parametrize("name", ["dcgan", "mlp", "biggan", "progan", "stylegan2"])
def test_a_sample_depends_on_its_seed_and_its_index_only(name: str) -> None:
    sampler = Sampler(model(name), device="cpu")
    few, many = sampler(sampler.draw(3, seed=7)), sampler(sampler.draw(9, seed=7))
    assert all(np.array_equal(a, b) for a, b in zip(few, many, strict=False))
    assert not np.array_equal(few[0], few[1])
    assert not np.array_equal(few[0], sampler(sampler.draw(1, seed=8))[0])


def test_samples_are_the_same_when_the_forward_pass_has_become_a_graph(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = Sampler(model(), device="cpu")
    inputs = expected.draw(20)
    graphs: list[StandInGraph] = []

    def capture(*arguments: Any) -> StandInGraph:
        graphs.append(StandInGraph(*arguments))
        return graphs[-1]

    monkeypatch.setattr(generation, "find_capture", lambda device: capture)
    assert all(map(np.array_equal, Sampler(model(), device="cpu")(inputs), expected(inputs)))
    assert len(graphs) == 1


def test_gray_images_are_returned_as_rgb() -> None:
    sampler = Sampler(model(out_channels=1), device="cpu")
    assert sampler(sampler.draw(1))[0].shape == (16, 16, 3)


def test_classes_take_turns_unless_one_is_chosen() -> None:
    config = model(classes=["a", "b", "c"]).config
    assert draw_inputs(config, 4, 0)[:, 5:].argmax(1).tolist() == [0, 1, 2, 0]
    assert draw_inputs(config, 2, 0, class_name="c")[:, 5:].argmax(1).tolist() == [2, 2]
    with pytest.raises(UsageError, match=r"'cc'.*'c'"):
        draw_inputs(config, 1, 0, class_name="cc")
    with pytest.raises(UsageError, match="class 'c'"):
        draw_inputs(model().config, 1, 0, class_name="c")


def test_truncated_noise_stays_within_the_truncation() -> None:
    config = model().config
    assert draw_inputs(config, 200, 0).abs().max() > 2
    assert draw_inputs(config, 200, 0, truncation=0.7).abs().max() <= 0.7


def test_settings_out_of_range_and_inputs_of_another_shape_are_refused() -> None:
    sampler = Sampler(model(), device="cpu")
    for setting in ({"count": 0}, {"seed": -1}, {"truncation": 0}, {"truncation": float("nan")}):
        with pytest.raises(UsageError, match=next(iter(setting))):
            sampler.draw(**{"count": 1, **setting})
    for inputs in (torch.zeros(5), torch.zeros(2, 4), torch.full((1, 5), torch.nan)):
        with pytest.raises(UsageError, match="N x 5"):
            sampler(inputs)


def test_classes_and_categories_keep_to_their_columns_of_a_grid() -> None:
    assert [grid_columns(model(categories=count).config, 64) for count in (1, 3, 8, 10)] == [8, 6, 8, 10]
    assert grid_columns(model(classes=["a", "b", "c"]).config, 2) == 2
    assert [grid_columns(model().config, count) for count in (1, 10, 64)] == [1, 4, 8]


def test_the_metadata_of_an_exported_file_describes_the_inputs() -> None:
    metadata = export_metadata(model(classes=["cat", "dog"]), None)
    assert metadata["translate.inputs"] == "5 noise, 2 class, 0 category, 0 codes"
    assert metadata["translate.classes"] == "cat, dog"
    assert "translate.color" not in metadata


def test_spherical_interpolation_keeps_the_norm_of_noise() -> None:
    a, b = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 3.0])
    assert slerp(a, b, 0.5).norm() == pytest.approx(3)
    assert slerp(a, b, 1 / 3)[1] == pytest.approx(1.5)
    torch.testing.assert_close(slerp(a, a, 0.3), a)


def test_an_interpolation_passes_through_its_keyframes_in_even_steps_and_closes() -> None:
    keyframes = draw_inputs(model(classes=["a", "b"]).config, 3, 0)
    path = interpolate_latents(keyframes, 5, steps=4)
    assert len(path) == 12
    for index in range(3):
        torch.testing.assert_close(path[4 * index], keyframes[index])
    steps = (path - path.roll(1, dims=0)).norm(dim=1)
    assert steps.max() < 2 * steps.median()


def test_a_traversal_changes_only_its_code() -> None:
    config = model(categories=3, codes=2).config
    grids = traversals(config, samples=4, seed=0, steps=5)
    assert {name: tuple(x.shape) for name, x in grids.items()} == {
        "category": (4, 3, 10),
        "code-1": (4, 5, 10),
        "code-2": (4, 5, 10),
    }
    assert grids["category"][2, :, 5:8].equal(torch.eye(3))
    changed = (grids["code-2"] != grids["code-2"][:, :1]).any(dim=1)
    assert changed.nonzero()[:, 1].unique().tolist() == [9]
    with pytest.raises(UsageError, match="infogan"):
        traversals(model().config, 4, 0)


def test_samples_are_written_as_files_a_grid_an_animation_and_traversals(tmp_path: Path) -> None:
    sampler = Sampler(model(categories=2), device="cpu")
    save_samples(sampler, sampler.draw(3), tmp_path / "each", overwrite=False)
    assert sorted(p.name for p in (tmp_path / "each").iterdir()) == ["0000.png", "0001.png", "0002.png"]
    save_samples(sampler, sampler.draw(4), tmp_path / "grid.png", overwrite=False)
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.size == (4 * 20 + 4, 1 * 20 + 4)
    for name in ("interpolation.gif", "interpolation.webp"):
        save_interpolation(sampler, sampler.draw(2), tmp_path / name, overwrite=False)
        with Image.open(tmp_path / name) as animation:
            assert animation.n_frames > 16
            assert animation.info["loop"] == 0
    save_interpolation(sampler, sampler.draw(2), tmp_path / "interpolation.mp4", overwrite=False)
    assert (tmp_path / "interpolation.mp4").stat().st_size > 1000
    save_traversals(sampler, traversals(sampler.config, 2, 0), tmp_path / "codes", overwrite=False)
    assert [p.name for p in (tmp_path / "codes").iterdir()] == ["category.png"]


def test_truncation_moves_styles_to_their_mean() -> None:
    sampler = Sampler(model("stylegan2"), device="cpu")
    full, half, none = (sampler.draw(3, truncation=psi) for psi in (None, 0.5, 0.0))
    assert full.shape == (3, 6, 5)
    torch.testing.assert_close(half, (full + none) / 2)
    assert none[0].equal(none[1])
    assert not full[0].equal(full[1])
    for psi in (-0.1, 2.5, float("nan")):
        with pytest.raises(UsageError, match=r"truncation is .*between 0 and 2"):
            sampler.draw(1, truncation=psi)


def test_styles_are_interpolated_linearly() -> None:
    styles = torch.randn(2, 6, 5)
    walk = interpolate_latents(styles, 5, steps=2)
    torch.testing.assert_close(walk, torch.stack([styles[0], styles.mean(0), styles[1], styles.mean(0)]))


def test_mixed_styles_have_coarse_and_fine_layers_of_different_images() -> None:
    coarse, fine = torch.randn(2, 6, 5), torch.randn(3, 6, 5)
    mixed = mix_styles(coarse, fine)
    assert mixed.shape == (2, 3, 6, 5)
    assert mixed[1, 2, :4].equal(coarse[1, :4])
    assert mixed[1, 2, 4:].equal(fine[2, 4:])


def test_a_grid_of_mixed_styles_has_the_images_that_give_them(tmp_path: Path) -> None:
    sampler = Sampler(model("stylegan2"), device="cpu")
    styles = sampler.draw(5)
    save_mix(sampler, styles[:2], styles[2:], tmp_path / "mix.png", overwrite=False)
    grid = np.asarray(Image.open(tmp_path / "mix.png"))
    cell = 16 + GAP
    assert grid.shape == (3 * cell + GAP, 4 * cell + GAP, 3)
    first, second = sampler(styles[2:3])[0], sampler(styles[0:1])[0]
    assert np.array_equal(grid[GAP:cell, GAP + cell : 2 * cell], first)
    assert np.array_equal(grid[GAP + cell : 2 * cell, GAP:cell], second)


def test_inputs_of_another_shape_are_refused() -> None:
    sampler = Sampler(model("stylegan2"), device="cpu")
    with pytest.raises(UsageError, match=r"inputs of 2 x 5: give N x 6 x 5 finite numbers"):
        sampler(torch.zeros(2, 5))


def test_existing_files_and_unknown_suffixes_are_refused(tmp_path: Path) -> None:
    sampler = Sampler(model(), device="cpu")
    (tmp_path / "0001.png").touch()
    with pytest.raises(UsageError, match=r"0001\.png"):
        save_samples(sampler, sampler.draw(2), tmp_path, overwrite=False)
    assert not (tmp_path / "0000.png").exists()
    with pytest.raises(UsageError, match=r"interpolation\.png: .*\.mp4"):
        save_interpolation(sampler, sampler.draw(2), tmp_path / "interpolation.png", overwrite=False)


def test_translation_and_generation_models_are_not_confused() -> None:
    with pytest.raises(UsageError, match="translate sample"):
        load_predictor(model(), device="cpu")
    with pytest.raises(UsageError, match="translate apply"):
        Sampler(Model.from_pretrained("colorize"), device="cpu")


@pytest.mark.parametrize("name", ["dcgan", "mlp", "biggan", "progan", "stylegan2"])
@pytest.mark.parametrize("suffix", [".onnx", ".xml", ".pt2"])
def test_generators_from_noise_can_be_exported(name: str, suffix: str, tmp_path: Path) -> None:
    done = export(model(name), tmp_path / f"model{suffix}")
    assert done.difference < 1e-4
    assert done.images == 5
