"""A trained model as a file for other programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import Command


def test_a_model_becomes_an_onnx_file(translate: Command, model: Path, tmp_path: Path) -> None:
    for package in ("onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    result = translate("export", model, "-o", "model.onnx", "--direction", "BtoA")
    assert "model.onnx: greatest difference from torch " in result.stdout
    assert "over 4 random images (tolerance 0.001)" in result.stdout
    assert result.stdout.count("\n") == 1
    assert result.stderr == ""
    assert (tmp_path / "model.onnx").stat().st_size > 10_000
    refusal = translate("export", model, "-o", "model.onnx", code=2)
    assert refusal.stderr == "error: model.onnx is there already: give another -o, or --overwrite\n"
