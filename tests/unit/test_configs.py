"""Every YAML in configs/ is a recipe that loads, and its data can be fetched."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from translate.config import CycleGANConfig, ImageTrainConfig, Pix2PixConfig, load_yaml, resolve

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path for path in (ROOT / "configs").glob("*.yaml") if path.stem != "demo")
RECIPES: dict[str, type[ImageTrainConfig]] = {"pix2pix": Pix2PixConfig, "cyclegan": CycleGANConfig}
TOOL = runpy.run_path(str(ROOT / "tools/fetch_dataset.py"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_loads_and_says_only_what_differs(path: Path) -> None:
    given = load_yaml(path)
    kind = RECIPES[given.pop("recipe")]
    config, default = resolve(kind, {}, files=(path,)), kind()
    assert path.read_text().startswith("# ")
    assert {name for name in given if getattr(config, name) == getattr(default, name)} == set()


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_its_data_can_be_fetched(path: Path) -> None:
    given = load_yaml(path)
    assert given["data"] in TOOL["PAIRED" if given["recipe"] == "pix2pix" else "UNPAIRED"]


def test_each_set_that_can_be_trained_on_has_a_config() -> None:
    assert TOOL["SETS"].keys() - TOOL["PHOTOS"].keys() <= {path.stem for path in CONFIGS}
