"""A folder on a GPU is decoded and encoded by processes, and becomes the same files as without workers."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from tests.images import noise
from tests.unit.inference.making import load, random_model
from translate.inference import Predictor, translate_folder
from translate.inference.batch import folder, processes
from translate.inference.batch.processes import MIN_IMAGES, Workers, choose_workers

pytestmark = pytest.mark.gpu


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.rglob("*") if path.is_file()}


def test_a_folder_becomes_the_same_files_with_processes_without_workers_and_one_by_one(
    gpu: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "count_cores", lambda: 4)
    if gpu == "cpu":
        monkeypatch.setattr(folder, "choose_workers", lambda *_: Workers(2, are_processes=True))
    else:
        assert choose_workers(None, torch.device(gpu), MIN_IMAGES).are_processes
    root = tmp_path / "in"
    for number in range(MIN_IMAGES):
        noise(root / f"{number:03}.jpg", 64, 64 + 16 * (number % 7 == 3), seed=number)
    model = random_model(depth=1)

    def translate(source: Path, out: Path, **options: int) -> None:
        predictor: Predictor = load(model, device=gpu)
        assert not any(outcome.failure for outcome in translate_folder(predictor, [source], out, **options))

    translate(root, tmp_path / "processes")
    monkeypatch.setattr(folder, "choose_workers", choose_workers)
    translate(root, tmp_path / "none", workers=0)
    expected = contents(tmp_path / "none")
    assert len(expected) == MIN_IMAGES
    assert contents(tmp_path / "processes") == expected
    for name in ("000.jpg", "003.jpg", "099.jpg"):
        (tmp_path / name).mkdir()
        shutil.copy(root / name, tmp_path / name)
        translate(tmp_path / name, tmp_path / f"alone-{name}")
        assert contents(tmp_path / f"alone-{name}") == {name: expected[name]}
