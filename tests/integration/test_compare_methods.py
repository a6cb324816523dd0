"""tools/compare_methods.py: it trains configs one after the other, and prints their cost and their scores."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from tests.images import demo
from tests.integration.conftest import Command
from tests.integration.test_tools import TOOLS
from translate.images import find_images, read_rgb

CONFIG = """# A tiny CUT.
recipe: cut
image_size: 32
batch_size: 2
blocks: 1
ngf: 4
ndf: 4
d_layers: 2
workers: 0
"""


@pytest.fixture
def tool(real_data: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module tools/compare_methods.py, with the weights of MobileNetV2."""
    monkeypatch.setenv("TORCH_HOME", str(real_data / "torch"))
    monkeypatch.syspath_prepend(str(TOOLS))
    import compare_methods

    return compare_methods


@pytest.fixture
def quick_training(tool: ModuleType, within: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command of each run train in this process, which has imported torch."""

    def train(command: list[str], **options: Any) -> subprocess.Popen[str]:
        *measure, python, module, name = command[: (start := command.index("translate") + 1)]
        assert (python, module, name) == (sys.executable, "-m", "translate")
        assert "no checkpoint" not in within(*command[start:]).stderr  # It starts; nothing is missing.
        small = [sys.executable, "-S", "-c", "x = b'x' * 30 * 10**6"]  # Its memory is measured.
        return subprocess.Popen([*measure, *small], **options)

    monkeypatch.setattr(tool, "subprocess", SimpleNamespace(Popen=train, PIPE=subprocess.PIPE))


def run(tool: ModuleType, *arguments: Any, code: int = 0) -> str:
    result = CliRunner().invoke(tool.main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result.output


@pytest.mark.usefixtures("quick_training")
def test_a_finished_run_is_measured_once_and_scored_again(tool: ModuleType, tmp_path: Path) -> None:
    data, config, folder = demo(tmp_path / "data", test=3), tmp_path / "tiny.yaml", tmp_path / "runs"
    config.write_text(CONFIG)
    options = [folder, config, "--data", data, "--device", "cpu", "--steps", 2]
    lines = run(tool, *options, "--seeds", "3").splitlines()
    (row,) = (line.split() for line in lines if line.startswith("tiny "))
    name, seed, _minutes, steps, rate, peak, step, psnr, features, *_ = row
    assert (name, seed, steps) == ("tiny", "3", "2")
    assert min(map(float, (rate, step, psnr, features))) > 0
    assert 30 < float(peak) < 100  # Of its process, not of this one.
    assert any(line.startswith("untranslated") for line in lines)
    assert any(line.startswith("tiny, mean of 1") for line in lines)
    # A second training would be refused without --resume, and would change the log.
    before = (folder / "tiny-seed3" / "log.txt").read_bytes()
    assert run(tool, *options, "--seeds", "3").splitlines()[-3:] == lines[-3:]
    assert run(tool, folder, "--score-only", "--device", "cpu").splitlines()[-3:] == lines[-3:]
    assert (folder / "tiny-seed3" / "log.txt").read_bytes() == before
    # Runs of other recipes may have other lengths.
    shutil.copytree(folder / "tiny-seed3", folder / "other-seed3")
    result = folder / "other-seed3" / "compared.json"
    result.write_text(result.read_text().replace('"steps": 2', '"steps": 7'))
    lines = run(tool, folder, "--score-only", "--device", "cpu").splitlines()
    rows = (line.split() for line in lines if line.startswith(("tiny ", "other ")))
    assert {row[0]: row[3] for row in rows} == {"tiny": "2", "other": "7"}
    # The network that a discriminator was trained with is no judge.
    model = folder / "other-seed3" / "model" / "config.json"
    model.write_text(
        model.read_text().replace(
            '"trained_on": {', '"trained_on": {"discriminator_backbone": "mobilenet_v2", '
        )
    )
    lines = run(tool, folder, "--score-only", "--device", "cpu").splitlines()
    assert [line.split()[0] for line in lines if "not scored" in line] == ["other"]
    assert not any(line.startswith("other, mean") for line in lines)
    config.write_text(CONFIG + "lr: 1e-3\n")
    assert "other settings" in run(tool, *options, "--seeds", "3", code=2)


def test_translations_that_are_all_alike_have_collapsed(tool: ModuleType, tmp_path: Path) -> None:
    data = demo(tmp_path, train=0, test=6, size=64)
    judge = tool.Judge(data)
    zebras = [read_rgb(path) for path in find_images(data / "testB")]
    perfect = judge(zebras)
    assert (perfect.psnr, perfect.features, perfect.collapsed) == (np.inf, 0, False)
    assert perfect.frechet == pytest.approx(0, abs=1e-6)
    assert not judge(map(read_rgb, judge.inputs)).collapsed
    assert judge([zebras[0]] * 6).collapsed
    noise = np.random.default_rng(0).integers(0, 256, zebras[0].shape, dtype=np.uint8)
    assert judge([noise] * 6).collapsed


def test_without_finished_runs_there_is_nothing_to_score(tool: ModuleType, tmp_path: Path) -> None:
    assert "no finished runs" in run(tool, tmp_path, "--score-only", code=2)
    assert "--data" in run(tool, tmp_path, code=2)
