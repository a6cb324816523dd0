"""`translate apply --size`: which size the network works at is told, and changing it translates again."""

from __future__ import annotations

from pathlib import Path

from tests.images import demo, noise
from tests.integration.conftest import TINY_TRANSLATION, Command
from translate.images import read_rgb
from translate.models import Model


def test_a_run_is_applied_at_the_size_that_it_was_trained_at(within: Command, tmp_path: Path) -> None:
    demo(tmp_path / "demo", train=4)
    settings = [*TINY_TRANSLATION, "--load-size", "36", "--steps", "1"]
    within("train", "pix2pix", "--generator", "resnet", "--data", "demo", *settings, "--out", "run")
    assert Model.from_pretrained(tmp_path / "run").config.working_size == 36
    noise(tmp_path / "photos" / "a.png", 90, 120)
    arguments = ("apply", "run", "photos", "-o", "out", "--engine", "torch")
    first = within(*arguments)
    assert "36 px" in first.stderr
    assert "--size native" in first.stderr
    at_36 = read_rgb(tmp_path / "out" / "a.png")
    assert at_36.shape == (90, 120, 3)
    assert "1 done before" in within(*arguments).stdout
    second = within(*arguments, "--size", "native")
    assert "1 image written" in second.stdout
    assert "own size" in second.stderr
    assert not (read_rgb(tmp_path / "out" / "a.png") == at_36).all()
    report = within("evaluate", "run", "--data", "demo", "--metrics", "psnr", "--json", "scores.json")
    assert "36 px" in report.stdout + (tmp_path / "scores.json").read_text()


def test_a_model_without_the_record_hints_at_the_flag(within: Command, tmp_path: Path) -> None:
    noise(tmp_path / "photos" / "a.png")
    identity = Path(__file__).parents[1] / "models" / "identity"
    result = within("apply", identity, "photos", "-o", "out", "--engine", "torch")
    assert "--size N" in result.stderr
    within("apply", identity, "photos", "-o", "out", "--size", "huge", code=2)
