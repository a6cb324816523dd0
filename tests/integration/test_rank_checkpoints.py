"""The tool that compares the score without truth with the truth."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from translate.models.feature_networks import load_efficientnet_features

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.mark.usefixtures("torch_engine_only")
def test_the_ranking_of_checkpoints_trains_each_run_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    import rank_checkpoints as tool

    for name, value in {"TRAIN": 4, "TEST": 4, "SIZE": 32, "CHECKPOINTS": 2}.items():
        monkeypatch.setattr(tool, name, value)
    tiny = {"image_size": 32, "load_size": 32, "blocks": 0, "ngf": 2, "ndf": 2, "d_layers": 2}
    monkeypatch.setattr(tool, "SETTINGS", {**tool.SETTINGS, **tiny})
    features = load_efficientnet_features(torch.device("cpu"))
    monkeypatch.setattr(tool, "MobileNetFeatures", lambda: features)
    command = [str(tmp_path), "--runs", "late-high-lr", "--steps", "4", "--device", "cpu"]
    first = CliRunner().invoke(tool.main, command)
    assert first.exit_code == 0, first.output
    words = [line.split() for line in first.stdout.splitlines()]
    assert [line[:2] for line in words[1:3]] == [["late-high-lr", "2"], ["late-high-lr", "4"]]
    assert [line[0] for line in words[-2:]] == ["late-high-lr", "all"]
    assert CliRunner().invoke(tool.main, command).stdout == first.stdout


def test_the_ranking_of_checkpoints_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    from rank_checkpoints import Checkpoint, correlation, loss_of_choice

    checkpoints = [
        Checkpoint("a", step, kernel, kernel**3, 10 - kernel) for step, kernel in enumerate((3, 1, 2))
    ]
    assert correlation(checkpoints, "features") == pytest.approx(1)
    assert correlation(checkpoints, "l1") == pytest.approx(-1)
    assert loss_of_choice(checkpoints, "features") == 0
    assert loss_of_choice(checkpoints, "l1") == pytest.approx(9 / 7 - 1)
