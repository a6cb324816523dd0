"""The notebook for a first model runs from top to bottom, and is stored without what a run leaves in it."""

from __future__ import annotations

import io
import json
import os
import shutil
import sysconfig
from base64 import b64decode
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import translate as package
from tests.integration.conftest import environment
from translate.images import read_rgb

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "first-model.ipynb"
TINY = """
DEVICE, MINUTES, IMAGE_SIZE, ROWS = "cpu", 0.01, 16, 2
SETTINGS = {"batch_size": 2, "blocks": 1, "ngf": 4, "ndf": 4, "d_layers": 2, "workers": 0}
"""
FEW_IMAGES = """
import pathlib
for folder in (DOMAIN_A, DOMAIN_B, PHOTOS):
    for path in sorted(pathlib.Path(folder).iterdir())[12:]:
        path.unlink()
"""


@pytest.fixture
def jupyter(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own settings and start-up files of Jupyter and IPython out of the test."""
    for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path_factory.mktemp(name)))


def execute(folder: Path) -> dict[str, list[Any]]:
    """Execute the notebook in a folder, at tiny size and without its installation; then train for longer.

    Returns:
        the outputs of each cell by its id.
    """
    nbclient, nbformat = pytest.importorskip("nbclient"), pytest.importorskip("nbformat")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = {cell.id: cell for cell in notebook.cells if "install" not in cell.metadata.get("tags", ())}
    cells["parameters"].source += TINY
    cells["folders"].source += FEW_IMAGES
    longer = nbformat.v4.new_code_cell("MINUTES = 0.06\n" + cells["train"].source, id="longer")
    notebook.cells = [*cells.values(), longer]
    variables = environment()
    variables["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), variables["PATH"]])  # `!translate`
    nbclient.NotebookClient(notebook, timeout=120).execute(cwd=folder, env=variables)
    return {cell.id: cell.get("outputs", []) for cell in notebook.cells}


def shown(outputs: list[Any]) -> Image.Image:
    """Return the one image that a cell displays."""
    (png,) = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    return Image.open(io.BytesIO(b64decode(png)))


def printed(outputs: list[Any]) -> str:
    """Return what a cell prints."""
    return "".join(output.text for output in outputs if output.output_type == "stream")


def test_the_notebook_is_stored_as_before_a_run() -> None:
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    ids = [cell["id"] for cell in cells]
    assert len(set(ids)) == len(ids)
    for cell in cells:
        assert cell["metadata"].keys() <= {"tags"}
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None


def test_the_notebook_runs_and_shows_what_it_promises(jupyter: None, tmp_path: Path) -> None:
    outputs = execute(tmp_path)
    two_columns, sheet, three_columns = (shown(outputs[name]) for name in ("images", "samples", "back"))
    assert two_columns.width < three_columns.width
    assert two_columns.height == three_columns.height
    samples = sorted((tmp_path / "runs/horse2zebra/samples").iterdir())
    assert np.array_equal(np.asarray(sheet), read_rgb(samples[0]))
    assert printed(outputs["losses"]).startswith("step ")

    folders = [tmp_path / name for name in ("datasets/demo/testA", "zebras", "back")]
    horses, zebras, back = ({path.name: read_rgb(path) for path in folder.iterdir()} for folder in folders)
    assert horses.keys() == zebras.keys() == back.keys()
    for name, horse in horses.items():
        assert horse.shape == zebras[name].shape == back[name].shape
        assert not np.array_equal(horse, zebras[name])
        assert not np.array_equal(zebras[name], back[name])

    shutil.unpack_archive(tmp_path / "horse2zebra.zip", tmp_path / "unpacked")
    model = package.load(tmp_path / "unpacked", device="cpu", engine="torch")
    assert model(folders[0] / min(horses)).size == (16, 16)
    assert f"resuming runs/horse2zebra from step {int(samples[0].stem[5:])}" in printed(outputs["longer"])
    assert len(samples) == 2
