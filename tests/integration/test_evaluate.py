"""`translate evaluate` as a person runs it: the table, the record of it, and what is told instead."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.images import noise
from tests.integration.conftest import TINY, Command, environment
from tests.unit.evaluation import making
from tests.unit.inference.making import scene
from translate import evaluate
from translate.cli.evaluate import Progress
from translate.config import GeneratorSpec, ModelConfig, Route
from translate.errors import TranslateError
from translate.images import read_rgb, write_rgb
from translate.metrics import ImageFeatures, frechet_distance
from translate.models import Model
from translate.networks import Identity, create_generator
from translate.version import __version__

IDENTITY = Path(__file__).parents[1] / "models" / "identity"
NO_WEIGHTS = ("--metrics", "psnr,ssim,delta-e")


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No weights on the disk, and no network."""

    def unreachable(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "urlopen", unreachable)


def save(folder: Path, *directions: str, paired: bool | None) -> Path:
    """Write a model that changes nothing, by default from A to B."""
    spec = GeneratorSpec(name="identity")
    routes = {
        name: Route(source=name[0], target=name[-1], generator=name) for name in directions or ("AtoB",)
    }
    config = ModelConfig(generator=spec, routes=routes, size_multiple=1, paired=paired)
    Model(config, {name: create_generator(spec) for name in routes}).save_pretrained(folder)
    return folder


class Negative(Identity):
    """White for black."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return -x


class Features:
    """Features of images without a network: their mean and their spread."""

    def __call__(self, images: list[np.ndarray]) -> np.ndarray:
        return np.array([[image.mean(), image.std()] for image in images])


@pytest.fixture
def features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("translate.evaluation.suites.ImageFeatures", Features)


@pytest.fixture
def colorizer(tmp_path: Path) -> Path:
    making.colorizer().save_pretrained(tmp_path / "colorizer")
    return tmp_path / "colorizer"


@pytest.fixture
def inpainter(tmp_path: Path) -> Path:
    making.inpainter().save_pretrained(tmp_path / "inpainter")
    return tmp_path / "inpainter"


def photos(folder: Path, count: int = 2) -> Path:
    for seed in range(count):
        write_rgb(scene(40, 48, seed), folder / f"{seed}.png")
    return folder


def pairs(folder: Path, kinds: tuple[str, str] = ("valA", "valB")) -> Path:
    for seed in range(2):
        for kind in ("trainA", "trainB", *kinds):
            write_rgb(scene(24, 32, seed), folder / kind / f"{seed}.png")
    return folder


def test_the_table_and_its_record(translate: Command, inpainter: Path, tmp_path: Path) -> None:
    photos(tmp_path / "photos")
    options = ("--baselines", "--json", "made/scores.json", "--device", "cpu", "--precision", "fp32")
    result = translate("evaluate", inpainter, "--data", "photos", *NO_WEIGHTS, *options)
    assert result.stderr == ""
    table, protocol = result.stdout.split("\n\n")
    head, *lines = table.splitlines()
    assert head.split() == ["hole", "images", "PSNR", "dB", "SSIM", "CIEDE2000"]
    assert len(lines) == 7 * 4
    assert {len(line) for line in (head, *lines)} == {len(head)}
    assert lines[0].startswith("1-10%      model               2  ")
    assert lines[-1].startswith("all sizes  biharmonic         12  ")
    assert [line.split(":")[0] for line in protocol.splitlines()] == [
        "images",
        "holes",
        "psnr",
        "ssim",
        "delta-e",
    ]
    assert "over R, G and B of the hole;" in protocol
    record = json.loads((tmp_path / "made" / "scores.json").read_text())
    assert record["fingerprint"] == Model.from_pretrained(inpainter).fingerprint()
    assert record["version"] == __version__
    assert (record["kind"], record["suite"]) == ("inpainting", "inpainting")
    assert (record["model"], record["images"]) == (str(inpainter), 2)
    assert (record["device"], record["precision"], record["left_out"]) == ("cpu", "fp32", [])
    assert [f"{name}: {text}" for name, text in record["protocol"].items()] == protocol.splitlines()
    for row, line in zip(record["rows"], lines, strict=True):
        assert line.startswith(row["hole"])
        assert row["name"] in line
        written = [str(row["images"]), f"{row['psnr']:.2f}", f"{row['ssim']:.4f}", f"{row['delta-e']:.2f}"]
        assert line.split()[-4:] == written


def test_colorize_by_its_scores(within: Command, colorizer: Path, tmp_path: Path) -> None:
    photos(tmp_path / "photos")
    result = within("evaluate", colorizer, "--data", "photos", "--metrics", "colorfulness, psnr")
    head, gray, model = result.stdout.split("\n\n")[0].splitlines()
    assert head.split() == ["images", "PSNR", "dB", "colorfulness", "of", "truth's"]
    assert gray.split()[:2] == ["gray", "2"]
    assert model.split()[:2] == ["model", "2"]
    assert model.endswith("%")


def test_pix2pix_and_cyclegan_by_theirs(within: Command, tmp_path: Path, features: None) -> None:
    pairs(tmp_path / "data")
    save(tmp_path / "paired", paired=True)
    lines = within("evaluate", "paired", "--data", "data").stdout.splitlines()
    assert lines[0].split() == ["images", "PSNR", "dB", "SSIM", "CIEDE2000", "Frechet"]
    assert lines[2].split() == ["model", "2", "100.00", "1.0000", "0.00", "0.00"]
    save(tmp_path / "both", "AtoB", "BtoA", paired=False)
    lines = within("evaluate", "both", "--data", "data", "--json", "a.json").stdout.splitlines()
    assert [line.split() for line in lines[:5]] == [
        ["direction", "images", "Frechet"],
        ["A", "to", "B", "untranslated", "2", "0.00"],
        ["A", "to", "B", "model", "2", "0.00"],
        ["B", "to", "A", "untranslated", "2", "0.00"],
        ["B", "to", "A", "model", "2", "0.00"],
    ]
    record = json.loads((tmp_path / "a.json").read_text())
    assert (record["kind"], record["suite"]) == ("translation", "unpaired")
    assert record["rows"][0]["direction"] == "A to B"
    for kind in "AB":
        (tmp_path / "data" / f"val{kind}" / "1.png").unlink()
    lines = within("evaluate", "both", "--data", "data", "--json", "a.json").stdout.splitlines()
    assert [line.split()[-2:] for line in lines[1:5]] == [["1", "-"]] * 4
    assert json.loads((tmp_path / "a.json").read_text())["rows"][0]["frechet"] is None


def test_an_imported_model_is_scored_as_the_data_allows(
    within: Command, tmp_path: Path, features: None
) -> None:
    pairs(tmp_path / "pairs")
    save(tmp_path / "imported", paired=None)
    lines = within("evaluate", "imported", "--data", "pairs", "--json", "a.json").stdout.splitlines()
    assert lines[0].split() == ["images", "PSNR", "dB", "SSIM", "CIEDE2000", "Frechet"]
    assert lines[2].split() == ["model", "2", "100.00", "1.0000", "0.00", "0.00"]
    assert json.loads((tmp_path / "a.json").read_text())["suite"] == "paired"
    for name in ("trainA/1.png", "trainA/2.png", "trainB/3.png", "trainB/4.png"):
        noise(tmp_path / "domains" / name, seed=len(name))
    lines = within("evaluate", "imported", "--data", "domains", "--json", "a.json").stdout.splitlines()
    assert lines[0].split() == ["direction", "images", "Frechet"]
    assert [line.split()[:4] for line in lines[1:3]] == [
        ["A", "to", "B", "untranslated"],
        ["A", "to", "B", "model"],
    ]
    assert json.loads((tmp_path / "a.json").read_text())["suite"] == "unpaired"
    refused = within("evaluate", IDENTITY, "--data", "pairs", "--metrics", "class", code=2)
    assert "a model of paired translation has no score 'class'; there is psnr," in refused.stderr


def test_from_python_the_figures_are_those_of_the_command_line(
    within: Command, colorizer: Path, inpainter: Path, tmp_path: Path, features: None
) -> None:
    photos(tmp_path / "photos")
    pairs(tmp_path / "pairs")
    made = {
        colorizer: "photos",
        inpainter: "photos",
        save(tmp_path / "paired", paired=True): "pairs",
        save(tmp_path / "both", "AtoB", "BtoA", paired=False): "pairs",
    }
    for model, data in made.items():
        within("evaluate", model, "--data", data, "--json", "a.json")
        record = json.loads((tmp_path / "a.json").read_text())
        for given in (model, str(model), Model.from_pretrained(model)):
            evaluation = evaluate(given, tmp_path / data)
            for row, expected in zip(evaluation.rows, record["rows"], strict=True):
                group = {evaluation.group: row.group} if row.group else {}
                assert {**group, "name": row.name, "images": row.images, **row.values} == expected
            assert evaluation.protocol.keys() == record["protocol"].keys()
            assert evaluation.fingerprint == record["fingerprint"]
            assert (evaluation.kind, evaluation.suite) == (record["kind"], record["suite"])
            assert (evaluation.device, evaluation.precision) == (record["device"], record["precision"])


def test_from_python_a_score_can_be_chosen_and_progress_is_told(colorizer: Path, tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos")
    states: list[tuple[float, int]] = []
    evaluation = evaluate(colorizer, folder, metrics=["psnr"], progress=lambda *state: states.append(state))
    assert [list(row.values) for row in evaluation.rows] == [["psnr"]] * 2
    assert states == [(0, 2), (1, 2)]
    for metrics, reason in (([], "metrics is empty"), (["pnsr"], "did you mean 'psnr'")):
        with pytest.raises(TranslateError, match=reason):
            evaluate(colorizer, folder, metrics=metrics)


def test_each_direction_is_translated_by_its_own_generator(
    within: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, features: None
) -> None:
    model = Model.from_pretrained(save(tmp_path / "both", "AtoB", "BtoA", paired=False))
    model.generators["BtoA"] = Negative()
    monkeypatch.setattr(Model, "from_pretrained", lambda _: model)
    pairs(tmp_path / "data")
    lines = within("evaluate", "both", "--data", "data").stdout.splitlines()
    distances = [float(line.split()[-1]) for line in lines[1:5]]
    assert distances[:3] == [0, 0, 0]
    assert distances[3] > 100


def test_a_model_from_noise_by_its_samples_over_its_run(
    within: Command, tmp_path: Path, features: None
) -> None:
    for number in range(4):
        noise(tmp_path / "covers" / f"{number}.png", 32, 32, seed=number)
    few = ("--steps", "3", "--checkpoint-every", "1", "--keep-checkpoints", "3", *TINY)
    within("train", "dcgan", "--data", "covers", "-o", "run", *few)
    lines = within("evaluate", "run", "--data", "covers", "--json", "a.json").stdout.splitlines()
    assert lines[0].split() == ["images", "Frechet", "of", "untrained's"]
    rows = [line.split()[:-2] for line in lines[1:5]]
    assert rows == [["untrained", "4"], ["step", "1", "4"], ["step", "2", "4"], ["model", "4"]]
    assert lines[1].endswith("-")
    assert all(line.endswith("%") for line in lines[2:5])
    record = json.loads((tmp_path / "a.json").read_text())
    assert (record["kind"], record["rows"][3]["name"]) == ("generation", "model")
    assert record["fingerprint"] == Model.from_pretrained(tmp_path / "run").fingerprint()
    alone = within("evaluate", "run/model", "--data", "covers").stdout.splitlines()
    assert [line.split()[0] for line in alone[1:3]] == ["untrained", "model"]
    refused = within("evaluate", "run", "--data", "covers", "--metrics", "class", code=2).stderr
    assert "a model of unconditional generation has no score 'class'; there is frechet" in refused


def test_without_weights_the_frechet_distance_is_left_out_unless_asked_for(
    within: Command, colorizer: Path, tmp_path: Path, offline: None
) -> None:
    photos(tmp_path / "photos")
    result = within("evaluate", colorizer, "--data", "photos", "--json", "a.json")
    assert "Frechet" not in result.stdout
    (note,) = [line for line in result.stderr.splitlines() if line.startswith("note: ")]
    assert note.startswith("note: the Frechet distance is left out: cannot download https://")
    record = json.loads((tmp_path / "a.json").read_text())
    assert record["notes"] == [note.removeprefix("note: ")]
    assert "frechet" not in record["protocol"]
    asked = within("evaluate", colorizer, "--data", "photos", "--metrics", "psnr,frechet", code=1)
    assert asked.stderr.splitlines()[-1].startswith("error: cannot download https://")
    assert asked.stdout == ""
    pairs(tmp_path / "data")
    alone = within("evaluate", save(tmp_path / "both", paired=False), "--data", "data", code=1)
    assert alone.stderr.splitlines()[-1].startswith("error: cannot download https://")


def test_what_could_not_be_scored_is_listed_and_the_rest_is_told(
    within: Command, colorizer: Path, tmp_path: Path
) -> None:
    photos(tmp_path / "photos")
    (tmp_path / "photos" / "broken\n.png").write_bytes(b"no image")
    result = within("evaluate", colorizer, "--data", "photos", *NO_WEIGHTS, "--json", "a.json", code=3)
    assert result.stdout.splitlines()[2].startswith("model       2")
    left_out, error = result.stderr.splitlines()
    assert left_out.startswith("left out: photos/broken\\n.png: not an image of a known format")
    assert error == "error: 1 of 3 images could not be scored"
    assert json.loads((tmp_path / "a.json").read_text())["left_out"] == [left_out.removeprefix("left out: ")]


def test_a_real_distance(within: Command, real_data: Path, tmp_path: Path, monkeypatch: Any) -> None:
    if not (real_data / "torch" / "hub" / "checkpoints" / "mobilenet_v2-b0353104.pth").is_file():
        pytest.skip(f"no weights of MobileNetV2 below {real_data / 'torch'}")
    monkeypatch.setenv("TORCH_HOME", str(real_data / "torch"))
    save(tmp_path / "paired", paired=True)
    data = pairs(tmp_path / "data")
    for seed in range(2):
        noise(data / "valB" / f"{seed}.png", 24, 32, seed=seed)
    lines = within("evaluate", "paired", "--data", "data", "--metrics", "frechet").stdout.splitlines()
    a, b = (
        ImageFeatures()([read_rgb(path) for path in sorted((data / kind).iterdir())])
        for kind in ("valA", "valB")
    )
    expected = f"{frechet_distance(a, b):.2f}"
    assert [line.split() for line in lines[1:3]] == [
        ["untranslated", "2", expected],
        ["model", "2", expected],
    ]


def test_mistakes_are_one_line(within: Command, inpainter: Path, tmp_path: Path) -> None:
    photos(tmp_path / "photos")
    (tmp_path / "empty").mkdir()
    save(tmp_path / "paired", paired=True)
    for arguments, code, reason in (
        ((inpainter, "--metrics", "pnsr"), 2, "no score 'pnsr'; did you mean 'psnr'?"),
        ((inpainter, "--metrics", ""), 2, "no score ''; there is class, colorfulness, delta-e, frechet,"),
        (
            (inpainter, "--metrics", "psnr,colorfulness"),
            2,
            "a model of inpainting has no score 'colorfulness'; there is psnr, ssim, delta-e, frechet",
        ),
        (("paired", "--baselines"), 2, "are for inpainting: leave them out for a model of paired"),
        (
            ("paired", "--masks", "photos"),
            2,
            "are for inpainting: leave them out for a model of paired",
        ),
        ((inpainter, *NO_WEIGHTS, "--masks", "empty"), 2, "no masks in 'empty': give a folder of them"),
        ((inpainter, *NO_WEIGHTS, "--data", "empty"), 2, "empty holds no images"),
        ((inpainter, *NO_WEIGHTS, "--data", "photo"), 2, "no folder 'photo', here or under datasets/"),
        (("nowhere",), 2, "nowhere"),
        ((inpainter, "--json", "empty"), 1, "cannot write empty: Is a directory: give another path"),
        ((inpainter, "--json", "photos/0.png/a"), 1, "cannot write photos/0.png/a: File exists"),
        ((inpainter, "--json", "x" * 300), 1, "File name too long: give another path"),
    ):
        data = () if "--data" in arguments else ("--data", "photos")
        result = within("evaluate", *arguments, *data, code=code)
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith("error: ")
        assert reason in line


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_one_line_of_a_terminal_and_rare_in_a_log(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [0.0]
    monkeypatch.setattr("translate.cli.evaluate.time.monotonic", lambda: clock[0])
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    progress = Progress()
    for done in range(100):
        clock[0] += 1
        progress(done + 0.5, 200)
    progress.end()
    told = capsys.readouterr().err
    if terminal:
        assert told.count("\r") == 101
        assert "\n" not in told
        assert told.endswith("\r\x1b[K")
    else:
        assert told.splitlines() == [
            "29/200  0.98 images/s  2:53 left",
            "59/200  0.99 images/s  2:21 left",
            "89/200  0.99 images/s  1:51 left",
        ]


@pytest.mark.parametrize("words", ["['--help']", "['evaluate', '--help']"])
def test_help_names_the_command_and_imports_no_torch(words: str, run: Callable[[str], str]) -> None:
    told = run(f"""
import sys
from translate.cli.main import translate
try:
    translate({words}, prog_name='translate')
except SystemExit:
    print('torch' in sys.modules, 'numpy' in sys.modules)
""")
    assert told.splitlines()[-1] == "False False"
    assert "evaluate" in told


@pytest.fixture
def run() -> Callable[[str], str]:
    """Run a script in a process of its own; what it printed."""

    def script(code: str) -> str:
        arguments = [sys.executable, "-c", code]
        done = subprocess.run(arguments, env=environment(), capture_output=True, text=True, check=True)
        return done.stdout

    return script
