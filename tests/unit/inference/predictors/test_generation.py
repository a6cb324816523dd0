"""Images from noise, and what becomes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from translate.config import GenerationModelConfig, GeneratorSpec, Route
from translate.errors import UsageError
from translate.inference import Sampler, load_predictor
from translate.inference.predictors.gallery import columns_for, save_samples, save_traversals, save_walk
from translate.inference.predictors.generation import draw, slerp, traversals, walk
from translate.inference.runtime.export import describe, export
from translate.models import Model
from translate.networks import create_generator, initialize


def model(name: str = "dcgan", *, out_channels: int = 3, **settings: Any) -> Model:
    """A small model whose images have 16 pixels a side."""
    torch.manual_seed(0)
    inputs = 5 + len(settings.get("classes", ())) + settings.get("categories", 0) + settings.get("codes", 0)
    channels = {"in_channels": inputs, "out_channels": out_channels}
    norm = {"norm": "batch"} if name == "dcgan" else {}
    spec = GeneratorSpec(name=name, args={**channels, "width": 4, "depth": 2, **norm})
    config = GenerationModelConfig(
        kind="generation",
        method="dcgan",
        generator=spec,
        domains=["image"],
        routes={"sample": Route(target="image", generator="sample")},
        latent=5,
        image_size=16,
        statistics="running",
        **channels,
        **settings,
    )
    generator = create_generator(spec)
    initialize(generator, gain=0.5)
    return Model(config, {"sample": generator})


@pytest.mark.parametrize("name", ["dcgan", "mlp"])
def test_the_same_number_of_the_same_seed_is_the_same_image(name: str) -> None:
    sampler = Sampler(model(name), device="cpu")
    few, many = sampler(sampler.draw(3, seed=7)), sampler(sampler.draw(9, seed=7))
    assert all(np.array_equal(a, b) for a, b in zip(few, many, strict=False))
    assert not np.array_equal(few[0], few[1])
    assert not np.array_equal(few[0], sampler(sampler.draw(1, seed=8))[0])


def test_gray_images_are_handed_out_as_rgb() -> None:
    sampler = Sampler(model(out_channels=1), device="cpu")
    assert sampler(sampler.draw(1))[0].shape == (16, 16, 3)


def test_classes_go_round_or_are_asked_for() -> None:
    config = model(classes=["a", "b", "c"]).config
    assert draw(config, 4, 0)[:, 5:].argmax(1).tolist() == [0, 1, 2, 0]
    assert draw(config, 2, 0, asked="c")[:, 5:].argmax(1).tolist() == [2, 2]
    with pytest.raises(UsageError, match="did you mean 'c'"):
        draw(config, 1, 0, asked="cc")
    with pytest.raises(UsageError, match="without classes"):
        draw(model().config, 1, 0, asked="c")


def test_truncated_noise_stays_within() -> None:
    config = model().config
    assert draw(config, 200, 0).abs().max() > 2
    assert draw(config, 200, 0, truncation=0.7).abs().max() <= 0.7


def test_numbers_out_of_range_and_inputs_of_another_shape_are_refused() -> None:
    sampler = Sampler(model(), device="cpu")
    for refused in ({"count": 0}, {"seed": -1}, {"truncation": 0}, {"truncation": float("nan")}):
        with pytest.raises(UsageError, match=next(iter(refused))):
            sampler.draw(**{"count": 1, **refused})
    for inputs in (torch.zeros(5), torch.zeros(2, 4), torch.full((1, 5), torch.nan)):
        with pytest.raises(UsageError, match="give N x 5 finite numbers"):
            sampler(inputs)


def test_grids_keep_classes_and_categories_to_their_columns() -> None:
    assert [columns_for(model(categories=kinds).config, 64) for kinds in (1, 3, 8, 10)] == [8, 6, 8, 10]
    assert columns_for(model(classes=["a", "b", "c"]).config, 2) == 2
    assert [columns_for(model().config, count) for count in (1, 10, 64)] == [1, 4, 8]


def test_an_exported_file_says_what_its_inputs_are() -> None:
    known = describe(model(classes=["cat", "dog"]), None)
    assert known["translate.inputs"] == "5 noise, 2 class, 0 category, 0 codes"
    assert known["translate.classes"] == "cat, dog"
    assert "translate.color" not in known


def test_an_arc_keeps_the_length_of_noise() -> None:
    a, b = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 3.0])
    assert slerp(a, b, 0.5).norm() == pytest.approx(3)
    assert slerp(a, b, 1 / 3)[1] == pytest.approx(1.5)
    torch.testing.assert_close(slerp(a, a, 0.3), a)


def test_a_walk_begins_at_each_stop_and_closes() -> None:
    stops = draw(model(classes=["a", "b"]).config, 3, 0)
    way = walk(stops, 5, steps=4)
    assert len(way) == 12
    for number in range(3):
        torch.testing.assert_close(way[4 * number], stops[number])
    steps = (way - way.roll(1, dims=0)).norm(dim=1)
    assert steps.max() < 2 * steps.median()


def test_a_traversal_changes_its_code_alone() -> None:
    config = model(categories=3, codes=2).config
    found = traversals(config, samples=4, seed=0, steps=5)
    assert {name: tuple(x.shape) for name, x in found.items()} == {
        "category": (4, 3, 10),
        "code-1": (4, 5, 10),
        "code-2": (4, 5, 10),
    }
    assert found["category"][2, :, 5:8].equal(torch.eye(3))
    changed = (found["code-2"] != found["code-2"][:, :1]).any(dim=1)
    assert changed.nonzero()[:, 1].unique().tolist() == [9]
    with pytest.raises(UsageError, match="infogan"):
        traversals(model().config, 4, 0)


def test_files_a_grid_and_what_moves(tmp_path: Path) -> None:
    sampler = Sampler(model(categories=2), device="cpu")
    save_samples(sampler, sampler.draw(3), tmp_path / "each", overwrite=False)
    assert sorted(p.name for p in (tmp_path / "each").iterdir()) == ["0000.png", "0001.png", "0002.png"]
    save_samples(sampler, sampler.draw(4), tmp_path / "grid.png", overwrite=False)
    with Image.open(tmp_path / "grid.png") as grid:
        assert grid.size == (4 * 20 + 4, 1 * 20 + 4)
    for name in ("walk.gif", "walk.webp"):
        save_walk(sampler, sampler.draw(2), tmp_path / name, overwrite=False)
        with Image.open(tmp_path / name) as moving:
            assert moving.n_frames > 16
            assert moving.info["loop"] == 0
    save_walk(sampler, sampler.draw(2), tmp_path / "walk.mp4", overwrite=False)
    assert (tmp_path / "walk.mp4").stat().st_size > 1000
    save_traversals(sampler, traversals(sampler.config, 2, 0), tmp_path / "codes", overwrite=False)
    assert [p.name for p in (tmp_path / "codes").iterdir()] == ["category.png"]


def test_nothing_is_replaced_unasked_and_names_must_fit(tmp_path: Path) -> None:
    sampler = Sampler(model(), device="cpu")
    (tmp_path / "0001.png").touch()
    with pytest.raises(UsageError, match=r"0001.png is there already"):
        save_samples(sampler, sampler.draw(2), tmp_path, overwrite=False)
    assert not (tmp_path / "0000.png").exists()
    with pytest.raises(UsageError, match="give -o a suffix of"):
        save_walk(sampler, sampler.draw(2), tmp_path / "walk.png", overwrite=False)


def test_a_model_of_one_kind_is_not_taken_for_the_other() -> None:
    with pytest.raises(UsageError, match="use translate sample"):
        load_predictor(model())
    with pytest.raises(UsageError, match="use translate apply"):
        Sampler(Model.from_pretrained("colorize"))


@pytest.mark.parametrize("name", ["dcgan", "mlp"])
@pytest.mark.parametrize("suffix", [".onnx", ".xml", ".pt2"])
def test_exports(name: str, suffix: str, tmp_path: Path) -> None:
    done = export(model(name), tmp_path / f"model{suffix}")
    assert done.difference < 1e-4
    assert done.images == 5
