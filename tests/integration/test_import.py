"""`translate import`: a file of the reference becomes a model, or one line says why not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from tests.integration.conftest import Command
from tests.reference_generators import resnet, unet
from translate.cli.importing import importing
from translate.errors import UsageError
from translate.models import Model


def test_a_generator_becomes_a_model(translate: Command, tmp_path: Path) -> None:
    torch.save(resnet(dropout=True).state_dict(), tmp_path / "latest_net_G_B.pth")
    result = translate("import", "latest_net_G_B.pth", "-o", "model/")
    assert result.stdout == "ResNet, 2 blocks, 4 channels, instance norm, dropout, 3 -> 3 channels: model/\n"
    assert Model.from_pretrained(tmp_path / "model").config.routes.keys() == {"BtoA"}


def test_a_bad_file_is_one_line(translate: Command, tmp_path: Path) -> None:
    torch.save({"model.0.weight": torch.zeros(64, 3, 4, 4)}, tmp_path / "latest_net_D.pth")
    result = translate("import", "latest_net_D.pth", "-o", "model", code=1)
    assert result.stderr.startswith("error: cannot import latest_net_D.pth: it is a discriminator")
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "model").exists()


def test_a_missing_file_is_a_wrong_usage(translate: Command) -> None:
    result = translate("import", "gone.pth", "-o", "model", code=2)
    assert "cannot read 'gone.pth': No such file or directory" in result.stderr


def run(*arguments: str) -> str:
    """The command in this process; a refusal is raised."""
    result = CliRunner().invoke(importing, arguments)
    if isinstance(result.exception, Exception):
        raise result.exception
    return result.output


def test_only_a_model_is_replaced_and_only_when_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(unet().state_dict(), "latest_net_G.pth")
    run("latest_net_G.pth", "-o", "model")
    with pytest.raises(UsageError, match="model holds a model: give --overwrite, or another folder by -o"):
        run("latest_net_G.pth", "-o", "model")
    printed = run("latest_net_G.pth", "-o", "model", "--overwrite", "--statistics", "picture")
    assert (
        printed
        == "U-Net, 5 levels, 4 channels, batch norm, 3 -> 3 channels, each image's statistics: model/\n"
    )
    with pytest.raises(UsageError, match=r"latest_net_G\.pth is a file"):
        run("latest_net_G.pth", "-o", "latest_net_G.pth")


@pytest.mark.parametrize("out", ["run", "run/model"])
def test_a_runs_folder_is_left_alone(out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(unet().state_dict(), "latest_net_G.pth")
    Path("run/checkpoints").mkdir(parents=True)
    Path("run/config.yaml").touch()
    with pytest.raises(UsageError, match="belongs to a run"):
        run("latest_net_G.pth", "-o", out, "--overwrite")
    assert sorted(path.name for path in Path("run").iterdir()) == ["checkpoints", "config.yaml"]
