"""tools/misalign.py: misaligned pairs, and the gain of pix2pix on them with and without --align."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from click.testing import CliRunner

from tests.integration.test_tools import TOOLS
from translate.images import read_rgb


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module tools/misalign.py, with few scenes and tiny networks."""
    monkeypatch.syspath_prepend(str(TOOLS))
    import misalign

    monkeypatch.setattr(misalign, "TRAIN", 4)
    monkeypatch.setattr(misalign, "TEST", 2)
    monkeypatch.setattr(misalign, "SETTINGS", {**misalign.SETTINGS, "batch_size": 2, "ngf": 4, "ndf": 4})
    return misalign


def test_displacements_are_within_their_limit_and_differ_within_an_image(tool: ModuleType) -> None:
    fields = [tool.draw_field(np.random.default_rng(seed), 64, 10) for seed in range(50)]
    lengths = [np.hypot(*field).max() for field in fields]
    assert 4 < np.mean(lengths) < 8
    assert max(lengths) <= 10.001
    assert min(field.std(axis=(1, 2)).max() for field in fields) > 0.01


def test_only_the_targets_of_the_training_part_are_misaligned(tool: ModuleType, tmp_path: Path) -> None:
    tool.write_pairs(tmp_path / "aligned", 64, 0)
    tool.write_pairs(tmp_path / "misaligned", 64, 10)
    for name in ("trainA/0000", "testA/0004", "testB/0004", "trainB/0000"):
        images = [read_rgb(tmp_path / part / f"{name}.png") for part in ("aligned", "misaligned")]
        assert np.array_equal(*images) == (not name.startswith("trainB"))


def test_a_run_is_trained_once_and_scored_on_the_aligned_pairs(tool: ModuleType, tmp_path: Path) -> None:
    options = [str(tmp_path / "runs"), "--size", "32", "--pixels", "5", "--device", "cpu", "--seeds", "4"]
    result = CliRunner().invoke(tool.main, [*options, "--steps", "1", "--variants", "align"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()[-2:]
    assert lines[1].split()[:2] == ["align", "4:"]
    assert lines[1].endswith("-"), "there are no runs on aligned pairs"
    scored = CliRunner().invoke(tool.main, [*options, "--score-only"])
    assert scored.output.splitlines() == lines
    nowhere = CliRunner().invoke(tool.main, [str(tmp_path / "none"), "--score-only"])
    assert (nowhere.exit_code, "no runs" in nowhere.output) == (2, True)


def test_the_table_has_the_gain_of_each_variant_of_aligned_pairs(
    tool: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    # Shares are of the seeds that aligned pairs have, too.
    tool.print_table({"aligned": {0: 4.0, 1: 6.0}, "plain": {0: 0.5, 2: 9.0}, "align": {0: 3.0, 1: 5.0}})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[-1] for line in lines[1:4]] == ["100%", "12%", "80%"]
    assert lines[4] == "--align is 68 points above plain pix2pix"
