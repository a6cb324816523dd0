"""Every YAML file in configs/ is a recipe that loads, and its dataset can be downloaded."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from tests.images import demo, training_data
from translate.config import collect_settings, load_yaml
from translate.methods.registry import find_method
from translate.training.session import Session

ROOT = Path(__file__).parents[2]
CONFIGS = sorted(path for path in (ROOT / "configs").rglob("*.yaml") if path.stem != "demo")
TOOL = runpy.run_path(str(ROOT / "tools/fetch_dataset.py"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_loads_and_holds_only_settings_that_differ_from_the_defaults(path: Path) -> None:
    settings = load_yaml(path)
    config_class = find_method(settings.pop("recipe")).config_class()
    config, default = config_class(**collect_settings(config_class, {}, files=(path,))), config_class()
    assert path.read_text().startswith("# ")
    assert {name for name in settings if getattr(config, name) == getattr(default, name)} == set()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a dataset with enough images for the largest batch."""
    return demo(tmp_path_factory.mktemp("configs") / "data", train=72)


@pytest.mark.parametrize("path", [*CONFIGS, ROOT / "configs" / "demo.yaml"], ids=lambda path: path.stem)
def test_a_dry_run_describes_a_config_and_writes_nothing(
    path: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    recipe = load_yaml(path)["recipe"]
    own = {"data": str(training_data(recipe, data)), "device": "cpu"}
    settings = collect_settings(find_method(recipe).config_class(), own, files=(path,))
    description = Session(recipe, settings).describe()
    assert f"recipe: {recipe}\n" in description
    assert "memory: about" in description
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_the_dataset_of_a_config_can_be_downloaded_or_is_any_folder_of_images(path: Path) -> None:
    settings = load_yaml(path)
    if settings["recipe"] not in ("pix2pix", "cyclegan") or path.stem.startswith("demo-"):
        assert "data" not in settings
        return
    assert settings["data"] in TOOL["PAIRED" if settings["recipe"] == "pix2pix" else "UNPAIRED"]


def test_each_dataset_for_training_has_a_config() -> None:
    assert TOOL["SETS"].keys() - TOOL["PHOTOS"].keys() <= {path.stem for path in CONFIGS}
