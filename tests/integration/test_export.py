"""`translate export`: a model as a file for other programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import Command


def test_a_model_is_exported_to_onnx(translate: Command, model: Path, tmp_path: Path) -> None:
    for package in ("onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    result = translate("export", model, "-o", "model.onnx", "--direction", "BtoA")
    line, about_size = result.stdout.splitlines()
    assert "36 px" in about_size  # The working size, which the file does not apply.
    assert line.startswith("model.onnx: differs from torch by at most ")
    assert line.endswith("(0.001 allowed)")
    assert result.stderr == ""
    content = (tmp_path / "model.onnx").read_bytes()
    assert len(content) > 10_000
    (error,) = translate("export", model, "-o", "model.onnx", code=2).stderr.splitlines()
    assert "model.onnx" in error
    assert "--overwrite" in error
    assert (tmp_path / "model.onnx").read_bytes() == content
    translate("export", model, "-o", "model.onnx", "--direction", "AtoB", "--overwrite")
    assert (tmp_path / "model.onnx").read_bytes() != content
