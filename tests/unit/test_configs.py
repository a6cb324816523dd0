"""Every YAML in configs/ is a recipe that loads, and its data can be fetched."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tests.images import demo
from translate.config import collect_settings, load_yaml
from translate.methods.registry import find_method
from translate.training.session import Session

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path for path in (ROOT / "configs").rglob("*.yaml") if path.stem != "demo")
TOOL = runpy.run_path(str(ROOT / "tools/fetch_dataset.py"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_loads_and_says_only_what_differs(path: Path) -> None:
    given = load_yaml(path)
    kind = find_method(given.pop("recipe")).config_class()
    config, default = kind(**collect_settings(kind, {}, files=(path,))), kind()
    assert path.read_text().startswith("# ")
    assert {name for name in given if getattr(config, name) == getattr(default, name)} == set()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images for the largest batch of all."""
    return demo(tmp_path_factory.mktemp("configs") / "data", train=72)


@pytest.mark.parametrize("path", [*CONFIGS, ROOT / "configs" / "demo.yaml"], ids=lambda path: path.stem)
def test_runs_dry(path: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = load_yaml(path)["recipe"]
    given = collect_settings(find_method(recipe).config_class(), {"data": str(data)}, files=(path,))
    said = Session(recipe, given).describe()
    assert f"recipe: {recipe}\n" in said
    assert "memory: about" in said
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_its_data_can_be_fetched_or_is_any_folder_of_images(path: Path) -> None:
    given = load_yaml(path)
    if given["recipe"] not in ("pix2pix", "cyclegan"):
        assert "data" not in given
        return
    assert given["data"] in TOOL["PAIRED" if given["recipe"] == "pix2pix" else "UNPAIRED"]


def test_each_set_that_can_be_trained_on_has_a_config() -> None:
    assert TOOL["SETS"].keys() - TOOL["PHOTOS"].keys() <= {path.stem for path in CONFIGS}
