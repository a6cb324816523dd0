"""Scores of translation between several domains, for predictors whose results are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.evaluation.helpers import create_request, find_row
from tests.unit.inference.making import multi_domain_model, scene
from translate.errors import DataError, UsageError
from translate.evaluation.multidomain import evaluate_multi_domain
from translate.evaluation.scoring import SuiteResult
from translate.images import Pixels, write_rgb

COATS = ["black", "brown", "striped"]
PIXELS = ["psnr", "ssim", "delta-e"]


Paint = Callable[[Pixels, str], Pixels]


class StubTranslator:
    """A predictor of a model of several domains that calls a function of an image and a target."""

    working_size = None

    def __init__(self, function: Paint, *domains: str, exclusive: bool = True) -> None:
        self.function, self.calls = function, []
        self.config = multi_domain_model(*domains, exclusive=exclusive).config

    def for_target(self, to: str) -> Callable[[Pixels], Pixels]:
        def translate(image: Pixels) -> Pixels:
            self.calls.append((image, to))
            return self.function(image, to)

        return translate


def coat(number: int, seed: int) -> Pixels:
    """Return a scene in a coat, which the multiple of 60 in its values tells."""
    return scene(24, 20, seed) % 60 + np.uint8(60 * number)


def repaint(image: Pixels, to: str) -> Pixels:
    """Translate without a mistake."""
    return image % 60 + np.uint8(60 * COATS.index(to))


def write_coats(folder: Path, *, name: str = "{seed}", count: int = 3) -> Path:
    """Write scenes in three coats for training, and others for validation."""
    for number, domain in enumerate(COATS):
        for seed in range(count):
            file = f"{name.format(seed=seed, domain=domain)}.png"
            write_rgb(coat(number, seed), folder / "train" / domain / file)
            write_rgb(coat(number, seed + 10), folder / "val" / domain / file)
    return folder


def score(data: Path, predictor: StubTranslator, **fields: Any) -> SuiteResult:
    request = replace(create_request(data, scores=PIXELS, **fields), scores=[*PIXELS, "frechet", "kernel"])
    return evaluate_multi_domain({"model": predictor}, request)


def test_translations_are_compared_with_the_scene_in_the_coat_asked_for(tmp_path: Path) -> None:
    predictor = StubTranslator(repaint, *COATS)
    result = score(write_coats(tmp_path), predictor)
    assert [(row.group, row.name, row.images) for row in result.rows] == [
        (f"to {domain}", name, 6) for domain in COATS for name in ("untranslated", "model")
    ]
    for domain in COATS:
        values = find_row(result, "model", f"to {domain}").values
        untranslated = find_row(result, "untranslated", f"to {domain}").values
        assert abs(values.pop("kernel")) < 0.01
        assert values == pytest.approx({"psnr": 100, "ssim": 1, "delta-e": 0, "frechet": 0}, abs=1e-3)
        assert untranslated["psnr"] < 20
        assert untranslated["frechet"] > 0.1
    assert len(predictor.calls) == 18
    assert all(image[0, 0, 0] // 60 != COATS.index(to) for image, to in predictor.calls)
    assert result.images == 9
    assert result.protocol["images"] == f"validation images of {tmp_path}, at their own size"
    assert any("one scene" in note for note in result.notes)


def test_without_names_in_common_the_sets_are_compared(tmp_path: Path) -> None:
    data = write_coats(tmp_path, name="{domain}-{seed}")
    result = score(data, StubTranslator(repaint, *COATS))
    assert {tuple(row.values) for row in result.rows} == {("frechet", "kernel")}
    assert find_row(result, "model", "to brown").values["frechet"] == pytest.approx(0, abs=1e-3)
    assert not any("one scene" in note for note in result.notes)
    request = create_request(data, scores=["psnr"])
    with pytest.raises(UsageError, match="--metrics"):
        evaluate_multi_domain({"model": StubTranslator(repaint, *COATS)}, request)


def test_a_name_that_a_domain_has_twice_tells_no_scene(tmp_path: Path) -> None:
    data = write_coats(tmp_path, count=2)
    write_rgb(coat(0, 5), data / "val" / "black" / "more" / "1.png")
    values = find_row(score(data, StubTranslator(repaint, *COATS)), "model", "to black").values
    assert values["psnr"] == 100  # Of the two images named 0 alone.


def test_a_missing_domain_and_an_unknown_one(tmp_path: Path) -> None:
    data = write_coats(tmp_path)
    result = score(data, StubTranslator(repaint, *COATS, "white"))
    assert {row.group for row in result.rows} == {f"to {domain}" for domain in COATS}
    with pytest.raises(UsageError, match="'striped'"):
        score(data, StubTranslator(repaint, "black", "brown"))


def test_an_attribute_is_switched_and_the_others_stay(tmp_path: Path) -> None:
    lines, names = ["name,dark,red"], ["dark", "red"]
    for number in range(16):
        dark, red, folder = number % 2, number // 2 % 2, "val" if number < 8 else "train"
        image = attributes(scene(24, 20, number % 3), dark, red)
        write_rgb(image, tmp_path / "faces" / folder / f"{number}.png")
        lines.append(f"{number}.png,{dark},{red}")
    (tmp_path / "labels.csv").write_text("\n".join(lines))

    def change(image: Pixels, to: str) -> Pixels:
        return attributes(image, *(int(name in to.split(",")) for name in names))

    predictor = StubTranslator(change, *names, exclusive=False)
    result = score(tmp_path / "faces", predictor, labels=tmp_path / "labels.csv")
    groups = ["dark on", "dark off", "red on", "red off"]
    assert [row.group for row in result.rows] == [group for group in groups for _ in range(2)]
    assert all(row.images == 4 for row in result.rows)
    for group in groups:
        (before, after) = (
            find_row(result, name, group).values["frechet"] for name in ("untranslated", "model")
        )
        assert after < before / 4
    for image, to in predictor.calls:
        dark, red = image[0, 0, 0] < 50, image[0, 0, 2] < 50
        assert (("dark" in to) != dark) + (("red" in to) != red) == 1
    with pytest.raises(UsageError, match="--labels"):
        score(tmp_path / "faces", predictor)


def attributes(image: Pixels, dark: int, red: int) -> Pixels:
    """Return an image whose first channel tells whether it is dark, and whose last whether it is red."""
    output = image % 40
    return output + np.array([0 if dark else 180, 100, 0 if red else 180], np.uint8)


def test_the_table_must_be_of_the_kind_of_the_model(tmp_path: Path) -> None:
    data = write_coats(tmp_path / "coats")
    (tmp_path / "labels.csv").write_text("name,wet,old\n0.png,1,0\n")
    with pytest.raises((UsageError, DataError), match=r"labels\.csv"):
        score(data, StubTranslator(repaint, *COATS), labels=tmp_path / "labels.csv")
