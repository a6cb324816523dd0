"""Models of several domains by the command line: apply with `--to`, evaluate and export."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.images import noise
from tests.integration.conftest import Command
from tests.unit.inference.making import multi_domain_model, random_model
from translate.images import read

COATS = ("black", "brown", "striped")
TORCH = ["--engine", "torch", "--precision", "fp32"]


@pytest.fixture
def horses(tmp_path: Path) -> Path:
    """Write photos, and models of coats, of attributes and of two domains; return the photos' folder."""
    multi_domain_model(*COATS).save_pretrained(tmp_path / "coats")
    multi_domain_model("blond", "young", exclusive=False).save_pretrained(tmp_path / "faces")
    random_model().save_pretrained(tmp_path / "two")
    for seed, name in enumerate(("a.png", "herd/b.jpg")):
        noise(tmp_path / "photos" / name, seed=seed)
    return tmp_path / "photos"


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.*"))


def test_all_gives_each_domain_a_folder(within: Command, horses: Path, tmp_path: Path) -> None:
    arguments = ["apply", "coats", "photos", "-o", "out", *TORCH]
    result = within(*arguments, "--to", "all", "--report", "r.json")
    assert "6 images written to out" in result.stdout
    assert result.stderr.count("own size") == 1  # The note on the size is not repeated.
    names = [f"{domain}/{name}" for domain in COATS for name in ("a.png", "herd/b.jpg")]
    assert files_below(tmp_path / "out") == sorted(names)
    records = json.loads((tmp_path / "r.json").read_text())
    assert [str(Path(record["out"]).relative_to("out")) for record in records] == names
    again = within("apply", "coats", "photos", "-o", "out/brown", "--to", "brown", *TORCH)
    assert "2 done before" in again.stdout
    assert "6 done before" in within(*arguments, "--to", "all").stdout
    result = within("apply", "coats", "photos", "-o", "out/brown", "--to", "black", *TORCH)
    assert "2 images written" in result.stdout
    black, brown = (read(tmp_path / "out" / name / "a.png").frames[0].pixels for name in ("black", "brown"))
    assert np.array_equal(black, brown)


def test_frames_bits_and_transparency_are_kept(within: Command, horses: Path, tmp_path: Path) -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (3, 24, 32), np.uint8)
    frames = [Image.fromarray(page) for page in pixels]
    frames[0].save(horses / "moving.gif", save_all=True, append_images=frames[1:])
    deep = np.random.default_rng(0).integers(0, 65536, (24, 32), dtype=np.uint16)
    Image.fromarray(deep).save(horses / "deep.png")
    rgba = np.random.default_rng(1).integers(0, 256, (24, 32, 4), dtype=np.uint8)
    Image.fromarray(rgba, "RGBA").save(horses / "alpha.png")
    within("apply", "faces", "photos", "-o", "out", "--to", "young", *TORCH)
    assert len(read(tmp_path / "out" / "moving.gif").frames) == 3
    assert read(tmp_path / "out" / "deep.png").frames[0].pixels.dtype == np.uint16
    assert np.array_equal(read(tmp_path / "out" / "alpha.png").frames[0].alpha, rgba[..., 3])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["apply", "coats", "photos"], ["no target", "--to", *COATS, "all"]),
        (["apply", "coats", "photos", "--to", "stripd"], ["'stripd'", "did you mean 'striped'", *COATS]),
        (["apply", "coats", "photos", "--to", "black,brown"], ["black,brown", *COATS]),
        (["apply", "coats", "photos", "--direction", "AtoB"], ["--direction AtoB", "--to", *COATS]),
        (["apply", "coats", "photos", "--to", "brown", "--direction", "AtoB"], ["--direction AtoB"]),
        (["apply", "coats", "photos", "--to", "brown", "--mask", "a.png", *TORCH], ["--mask"]),
        (["apply", "faces", "photos"], ["no target", "blond, young", "--to blond,young"]),
        (["apply", "faces", "photos", "--to", "all"], ["--to all", "blond, young"]),
        (["apply", "faces", "photos", "--to", "blond,old"], ["'old'", "blond, young"]),
        (["apply", "two", "photos", "--to", "B"], ["--to B", "A to B"]),
        (["apply", "colorize", "photos", "--to", "striped"], ["--to striped", "leave it out"]),
        (["colorize", "photos", "--model", "coats"], ["coats", "colorize"]),
        (["export", "coats", "--direction", "black"], ["--direction black", "label", *COATS, "leave it out"]),
    ],
)
def test_a_wrong_target_is_one_line_and_writes_nothing(
    arguments: list[str], words: list[str], within: Command, horses: Path, tmp_path: Path
) -> None:
    out = "out.pt2" if arguments[0] == "export" else "out"
    (error,) = within(*arguments, "-o", out, code=2).stderr.splitlines()
    assert all(word in error for word in words), error
    assert not (tmp_path / out).exists()


def test_the_next_command_after_training_applies_the_model(
    within: Command, horses: Path, tmp_path: Path
) -> None:
    for domain in ("black coat", "white"):
        for seed in range(4):
            noise(tmp_path / "data" / domain / f"{seed}.png", seed=seed)
    sizes = ["--image-size", "16", "--batch-size", "2", "--ngf", "2", "--ndf", "2", "--blocks", "1"]
    lengths = ["--steps", "1", "--d-steps", "1", "--workers", "0", "--device", "cpu", "--out", "run"]
    result = within("train", "stargan", "--data", "data", *sizes, *lengths)
    (command,) = [line for line in result.stdout.splitlines() if line.startswith("next: ")]
    assert command == "next: translate apply run PHOTOS/ --to white -o out/"
    arguments = command.removeprefix("next: translate ").replace("PHOTOS/", "photos").split()
    within(*arguments, *TORCH)
    assert files_below(tmp_path / "out") == files_below(horses)


def test_an_export_says_which_inputs_it_takes(within: Command, horses: Path, tmp_path: Path) -> None:
    result = within("export", "coats", "-o", "coats.pt2")
    assert result.stdout.startswith("coats.pt2: differs from torch by at most ")
    assert "label" in result.stdout
    assert ", ".join(COATS) in result.stdout
    assert (tmp_path / "coats.pt2").stat().st_size > 10_000


def test_scores_are_listed_by_target(within: Command, horses: Path, tmp_path: Path) -> None:
    for subset in ("train", "test"):
        for number, domain in enumerate(COATS):
            for seed in range(2):
                noise(tmp_path / "data" / subset / domain / f"{seed}.png", seed=10 * number + seed)
    result = within("evaluate", "coats", "--data", "data", "--metrics", "psnr", "--json", "scores.json")
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["target", "images", "PSNR", "dB"]
    assert [line.split()[:4] for line in lines[1:7]] == [
        ["to", domain, name, "4"] for domain in COATS for name in ("untranslated", "model")
    ]
    report = json.loads((tmp_path / "scores.json").read_text())
    assert (report["kind"], report["suite"]) == ("multidomain", "multidomain")
    assert "psnr" in report["protocol"]
    for arguments, word in (
        (["faces", "--data", "data", "--metrics", "psnr"], "--labels"),
        (["two", "--data", "data", "--labels", "labels.csv"], "--labels"),
        (["coats", "--data", "photos", "--metrics", "psnr"], "photos"),
    ):
        error = within("evaluate", *arguments, code=2 if word != "photos" else 1).stderr.splitlines()[-1]
        assert word in error
