"""`translate import`: generators of the reference implementation, and files that are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.integration.conftest import Command
from tests.reference_generators import resnet, unet
from translate.models import Model


def test_a_generator_is_imported(translate: Command, tmp_path: Path) -> None:
    torch.save(resnet(dropout=True).state_dict(), tmp_path / "latest_net_G_B.pth")
    result = translate("import", "latest_net_G_B.pth", "-o", "model/")
    assert result.stdout.endswith(": model/\n")
    for words in ("ResNet", "2 blocks", "4 channels", "instance norm", "dropout", "3 -> 3 channels"):
        assert words in result.stdout
    assert Model.from_pretrained(tmp_path / "model").config.routes.keys() == {"BtoA"}


def test_a_file_without_a_generator_is_refused_in_one_line(translate: Command, tmp_path: Path) -> None:
    torch.save({"model.0.weight": torch.zeros(64, 3, 4, 4)}, tmp_path / "latest_net_D.pth")
    result = translate("import", "latest_net_D.pth", "-o", "model", code=1)
    (error,) = result.stderr.splitlines()
    assert "latest_net_D.pth" in error
    assert "discriminator" in error
    assert not (tmp_path / "model").exists()


def test_a_missing_file_is_a_usage_error(within: Command) -> None:
    assert "'gone.pth'" in within("import", "gone.pth", "-o", "model", code=2).stderr


def test_only_a_model_is_replaced_and_only_with_overwrite(within: Command, tmp_path: Path) -> None:
    torch.save(unet().state_dict(), tmp_path / "latest_net_G.pth")
    within("import", "latest_net_G.pth", "-o", "model")
    assert Model.from_pretrained(tmp_path / "model").config.statistics == "running"
    assert "--overwrite" in within("import", "latest_net_G.pth", "-o", "model", code=2).stderr
    flags = ("--overwrite", "--statistics", "picture")
    result = within("import", "latest_net_G.pth", "-o", "model", *flags)
    for words in ("U-Net", "5 levels", "4 channels", "batch norm", "3 -> 3 channels"):
        assert words in result.stdout
    assert Model.from_pretrained(tmp_path / "model").config.statistics == "picture"
    before = (tmp_path / "latest_net_G.pth").read_bytes()
    refusal = within("import", "latest_net_G.pth", "-o", "latest_net_G.pth", "--overwrite", code=2)
    assert "latest_net_G.pth is a file" in refusal.stderr
    assert (tmp_path / "latest_net_G.pth").read_bytes() == before


@pytest.mark.parametrize("out", ["run", "run/model"])
def test_no_file_is_written_into_the_folder_of_a_run(out: str, within: Command, tmp_path: Path) -> None:
    torch.save(unet().state_dict(), tmp_path / "latest_net_G.pth")
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "config.yaml").touch()
    result = within("import", "latest_net_G.pth", "-o", out, "--overwrite", code=2)
    assert f"error: {out} " in result.stderr
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["checkpoints", "config.yaml"]


def test_a_folder_is_imported_with_the_size_that_it_was_trained_at(within: Command, tmp_path: Path) -> None:
    (tmp_path / "horse2zebra").mkdir()
    for name in ("latest_net_G_A", "latest_net_G_B", "5_net_G_A", "5_net_G_B"):
        torch.save(resnet().state_dict(), tmp_path / "horse2zebra" / f"{name}.pth")
    result = within("import", "horse2zebra", "-o", "model", "--load-size", "286")
    assert "AtoB and BtoA, trained on images resized to 286 px: model/" in result.stdout
    assert "the epoch latest of 2" in result.stderr
    config = Model.from_pretrained(tmp_path / "model").config
    assert list(config.routes) == ["AtoB", "BtoA"]
    assert config.working_size == 286


@pytest.mark.parametrize("antialias", [True, False])
def test_a_folder_of_cut_is_imported_by_its_generator(
    antialias: bool, within: Command, tmp_path: Path
) -> None:
    folder, generator = tmp_path / "horse2zebra_CUT", resnet(antialias=antialias)
    folder.mkdir()
    torch.save(generator.state_dict(), folder / "latest_net_G.pth")
    torch.save(
        {"mlp_0.0.weight": torch.zeros(8, 3), "mlp_0.0.bias": torch.zeros(8)}, folder / "latest_net_F.pth"
    )
    torch.save({"model.0.weight": torch.zeros(64, 3, 4, 4)}, folder / "latest_net_D.pth")
    options = "CUT_mode: CUT\ncrop_size: 256\ndirection: BtoA \t[default: AtoB]\nload_size: 286\n"
    (folder / "train_opt.txt").write_text(options)
    within("import", "horse2zebra_CUT", "-o", "model")
    model = Model.from_pretrained(tmp_path / "model")
    assert list(model.config.routes) == ["BtoA"]
    assert model.config.generator.args["downsample"] == ("blur" if antialias else "strided")
    image = torch.rand(1, 3, 32, 32) * 2 - 1
    with torch.no_grad():
        torch.testing.assert_close(model.generator()(image), generator(image), atol=1e-5, rtol=0)
    assert "feature network" in within("import", "horse2zebra_CUT/latest_net_F.pth", "-o", "f", code=1).stderr
