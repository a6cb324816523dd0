"""`translate evaluate` and `translate.evaluate`: the table, the JSON report, notes and errors."""

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
from tests.unit.evaluation.helpers import create_colorizer, create_inpainter
from tests.unit.inference.making import Negative, scene
from translate import evaluate
from translate.config import GeneratorSpec, ModelConfig, Route
from translate.errors import TranslateError
from translate.images import read_rgb, write_rgb
from translate.metrics import MobileNetFeatures, frechet_distance
from translate.models import Model
from translate.networks import create_generator
from translate.progress import Advanced, Event, Finished, Started, listening
from translate.version import __version__

IDENTITY = Path(__file__).parents[1] / "models" / "identity"
WITHOUT_WEIGHTS = ("--metrics", "psnr,ssim,delta-e")  # the scores that need no feature network


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No downloaded weights, and no network."""

    def refuse(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(torch.hub, "urlopen", refuse)


def create_identity_model(*directions: str, paired: bool | None) -> Model:
    """Create a model that returns its input, by default from A to B."""
    spec = GeneratorSpec(name="identity")
    routes = {
        name: Route(source=name[0], target=name[-1], generator=name) for name in directions or ("AtoB",)
    }
    config = ModelConfig(generator=spec, routes=routes, size_multiple=1, paired=paired)
    return Model(config, {name: create_generator(spec) for name in routes})


def save_identity_model(folder: Path, *directions: str, paired: bool | None) -> Path:
    create_identity_model(*directions, paired=paired).save_pretrained(folder)
    return folder


class MeanAndSpread:
    """A feature network without weights: the mean and the standard deviation of an image."""

    name, dimensions = "MobileNetV2", 2

    def __call__(self, images: list[np.ndarray]) -> np.ndarray:
        return np.array([[image.mean(), image.std()] for image in images])


@pytest.fixture
def features(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the tests the download of the weights of MobileNetV2."""
    monkeypatch.setattr("translate.evaluation.suites.MobileNetFeatures", MeanAndSpread)


@pytest.fixture
def colorizer(tmp_path: Path) -> Path:
    create_colorizer().save_pretrained(tmp_path / "colorizer")
    return tmp_path / "colorizer"


@pytest.fixture
def inpainter(tmp_path: Path) -> Path:
    create_inpainter().save_pretrained(tmp_path / "inpainter")
    return tmp_path / "inpainter"


def write_photos(folder: Path) -> Path:
    for seed in range(2):
        write_rgb(scene(40, 48, seed), folder / f"{seed}.png")
    return folder


def write_pairs(folder: Path) -> Path:
    """Write two pairs to train on and two for validation, whose A and B are equal."""
    for seed in range(2):
        for part in ("trainA", "trainB", "valA", "valB"):
            write_rgb(scene(24, 32, seed), folder / part / f"{seed}.png")
    return folder


def test_the_table_and_the_json_report_agree(translate: Command, inpainter: Path, tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    options = ("--baselines", "--json", "new/scores.json", "--device", "cpu", "--precision", "fp32")
    result = translate("evaluate", inpainter, "--data", "photos", *WITHOUT_WEIGHTS, *options)
    assert result.stderr == ""
    table, protocol = result.stdout.split("\n\n")
    heading, *lines = table.splitlines()
    assert heading.split() == ["hole", "images", "PSNR", "dB", "SSIM", "CIEDE2000"]
    assert len(lines) == 7 * 4
    assert {len(line) for line in (heading, *lines)} == {len(heading)}
    assert lines[0].split()[:3] == ["1-10%", "model", "2"]
    assert lines[-1].split()[:4] == ["all", "sizes", "biharmonic", "12"]
    names = [line.split(":")[0] for line in protocol.splitlines()]
    assert names == ["images", "holes", "psnr", "ssim", "delta-e"]
    report = json.loads((tmp_path / "new" / "scores.json").read_text())
    assert "the hole" in report["protocol"]["psnr"]
    assert "whole image" in report["protocol"]["ssim"]
    assert report["fingerprint"] == Model.from_pretrained(inpainter).fingerprint()
    assert report["version"] == __version__
    assert (report["kind"], report["suite"]) == ("inpainting", "inpainting")
    assert (report["model"], report["images"]) == (str(inpainter), 2)
    assert (report["device"], report["precision"], report["left_out"]) == ("cpu", "fp32", [])
    assert [f"{name}: {text}" for name, text in report["protocol"].items()] == protocol.splitlines()
    for row, line in zip(report["rows"], lines, strict=True):
        assert line.startswith(row["hole"])
        assert row["name"] in line
        numbers = [str(row["images"]), f"{row['psnr']:.2f}", f"{row['ssim']:.4f}", f"{row['delta-e']:.2f}"]
        assert line.split()[-4:] == numbers


def test_only_an_earlier_report_is_replaced(within: Command, inpainter: Path, tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    evaluate_to = ("evaluate", inpainter, "--data", "photos", "--metrics", "psnr", "--json")
    for name, content in {"notes.txt": "mine", "settings.json": '{"mine": 1}', "list.json": "[1]"}.items():
        (tmp_path / name).write_text(content)
        error = within(*evaluate_to, name, code=2).stderr.splitlines()[-1]
        assert name in error
        assert "--overwrite" in error
        assert (tmp_path / name).read_text() == content
    for flags in (["notes.txt", "--overwrite"], ["notes.txt"], ["new.json"]):
        within(*evaluate_to, *flags)
        assert json.loads((tmp_path / flags[0]).read_text())["rows"]


def test_colorization_is_scored_by_colorfulness(within: Command, colorizer: Path, tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    result = within("evaluate", colorizer, "--data", "photos", "--metrics", "colorfulness, psnr")
    heading, gray, model = result.stdout.split("\n\n")[0].splitlines()
    assert heading.split() == ["images", "PSNR", "dB", "colorfulness", "vs", "truth"]
    assert gray.split()[:2] == ["gray", "2"]
    assert model.split()[:2] == ["model", "2"]
    assert model.endswith("%")


def test_a_model_trained_on_pairs_is_scored_on_pairs(within: Command, tmp_path: Path, features: None) -> None:
    write_pairs(tmp_path / "data")
    save_identity_model(tmp_path / "paired", paired=True)
    lines = within("evaluate", "paired", "--data", "data").stdout.splitlines()
    assert lines[0].split() == ["images", "PSNR", "dB", "SSIM", "CIEDE2000", "Frechet"]
    assert lines[2].split() == ["model", "2", "100.00", "1.0000", "0.00", "0.00"]


def test_a_model_trained_without_pairs_is_scored_in_both_directions(
    within: Command, tmp_path: Path, features: None
) -> None:
    write_pairs(tmp_path / "data")
    save_identity_model(tmp_path / "both", "AtoB", "BtoA", paired=False)
    lines = within("evaluate", "both", "--data", "data", "--json", "a.json").stdout.splitlines()
    assert lines[0].split() == ["direction", "images", "Frechet", "kernel"]
    assert [line.split()[:-1] for line in lines[1:5]] == [
        ["A", "to", "B", "untranslated", "2", "0.00"],
        ["A", "to", "B", "model", "2", "0.00"],
        ["B", "to", "A", "untranslated", "2", "0.00"],
        ["B", "to", "A", "model", "2", "0.00"],
    ]
    report = json.loads((tmp_path / "a.json").read_text())
    assert (report["kind"], report["suite"]) == ("translation", "unpaired")
    assert report["rows"][0]["direction"] == "A to B"


def test_an_undefined_score_is_a_dash_in_the_table_and_null_in_json(
    within: Command, tmp_path: Path, features: None
) -> None:
    data = write_pairs(tmp_path / "data")
    for domain in "AB":
        (data / f"val{domain}" / "1.png").unlink()
    save_identity_model(tmp_path / "both", "AtoB", "BtoA", paired=False)
    lines = within("evaluate", "both", "--data", "data", "--json", "a.json").stdout.splitlines()
    assert [line.split()[-3:] for line in lines[1:5]] == [["1", "-", "-"]] * 4
    row = json.loads((tmp_path / "a.json").read_text())["rows"][0]
    assert row["frechet"] is row["kernel"] is None


def test_the_data_decides_how_an_imported_model_is_scored(
    within: Command, tmp_path: Path, features: None
) -> None:
    write_pairs(tmp_path / "pairs")
    save_identity_model(tmp_path / "imported", paired=None)
    lines = within("evaluate", "imported", "--data", "pairs", "--json", "a.json").stdout.splitlines()
    assert lines[0].split() == ["images", "PSNR", "dB", "SSIM", "CIEDE2000", "Frechet"]
    assert lines[2].split() == ["model", "2", "100.00", "1.0000", "0.00", "0.00"]
    assert json.loads((tmp_path / "a.json").read_text())["suite"] == "paired"
    for name in ("trainA/1.png", "trainA/2.png", "trainB/3.png", "trainB/4.png"):
        noise(tmp_path / "domains" / name, seed=len(name))
    lines = within("evaluate", "imported", "--data", "domains", "--json", "a.json").stdout.splitlines()
    assert lines[0].split() == ["direction", "images", "Frechet", "kernel"]
    assert [line.split()[:4] for line in lines[1:3]] == [
        ["A", "to", "B", "untranslated"],
        ["A", "to", "B", "model"],
    ]
    assert json.loads((tmp_path / "a.json").read_text())["suite"] == "unpaired"


def test_python_and_the_command_line_compute_the_same_scores(
    within: Command, colorizer: Path, inpainter: Path, tmp_path: Path, features: None
) -> None:
    write_photos(tmp_path / "photos")
    write_pairs(tmp_path / "pairs")
    data_of_model = {
        colorizer: "photos",
        inpainter: "photos",
        save_identity_model(tmp_path / "paired", paired=True): "pairs",
        save_identity_model(tmp_path / "both", "AtoB", "BtoA", paired=False): "pairs",
    }
    for folder, data in data_of_model.items():
        within("evaluate", folder, "--data", data, "--json", "a.json")
        report = json.loads((tmp_path / "a.json").read_text())
        for model in (folder, str(folder), Model.from_pretrained(folder)):
            evaluation = evaluate(model, tmp_path / data, device="cpu")
            for row, expected in zip(evaluation.rows, report["rows"], strict=True):
                group = {evaluation.group: row.group} if row.group else {}
                assert {**group, "name": row.name, "images": row.images, **row.values} == expected
            assert evaluation.protocol.keys() == report["protocol"].keys()
            assert evaluation.fingerprint == report["fingerprint"]
            assert (evaluation.kind, evaluation.suite) == (report["kind"], report["suite"])
            assert (evaluation.device, evaluation.precision) == (report["device"], report["precision"])


def test_python_callers_choose_scores(colorizer: Path, tmp_path: Path) -> None:
    folder = write_photos(tmp_path / "photos")
    evaluation = evaluate(colorizer, folder, device="cpu", metrics=["psnr"])
    assert [list(row.values) for row in evaluation.rows] == [["psnr"]] * 2
    for metrics, reason in (([], "metrics is empty"), (["pnsr"], "did you mean 'psnr'")):
        with pytest.raises(TranslateError, match=reason):
            evaluate(colorizer, folder, device="cpu", metrics=metrics)


def test_progress_events_are_emitted(colorizer: Path, tmp_path: Path) -> None:
    events: list[Event] = []
    with listening(events.append):
        evaluate(colorizer, write_photos(tmp_path / "photos"), device="cpu", metrics=["psnr"])
    started, *advanced, finished = events
    assert isinstance(started, Started)
    assert (started.total, started.unit) == (2, "images")
    assert [event.done for event in advanced if isinstance(event, Advanced)] == [0, 1]
    assert isinstance(finished, Finished)


def test_each_direction_uses_its_own_generator(tmp_path: Path, features: None) -> None:
    model = create_identity_model("AtoB", "BtoA", paired=False)
    model.generators["BtoA"] = Negative()
    evaluation = evaluate(model, write_pairs(tmp_path / "data"), device="cpu")
    distances = {(row.group, row.name): row.values["frechet"] for row in evaluation.rows}
    assert distances.pop(("B to A", "model")) > 100
    assert list(distances.values()) == pytest.approx([0, 0, 0], abs=1e-9)


def test_a_generation_run_is_scored_at_its_checkpoints(
    within: Command, tmp_path: Path, features: None
) -> None:
    for number in range(4):
        noise(tmp_path / "covers" / f"{number}.png", 32, 32, seed=number)
    checkpoints = ("--steps", "3", "--checkpoint-every", "1", "--keep-checkpoints", "3")
    within("train", "dcgan", "--data", "covers", "-o", "run", *checkpoints, *TINY)
    lines = within("evaluate", "run", "--data", "covers", "--json", "a.json").stdout.splitlines()
    assert lines[0].split() == ["images", "Frechet", "vs", "untrained", "diversity"]
    rows = [line.split()[:-3] for line in lines[1:5]]
    assert rows == [["untrained", "4"], ["step", "1", "4"], ["step", "2", "4"], ["model", "4"]]
    assert lines[1].split()[-2] == "-"
    assert all(line.endswith("%") for line in lines[2:5])
    report = json.loads((tmp_path / "a.json").read_text())
    assert (report["kind"], report["rows"][3]["name"]) == ("generation", "model")
    assert report["fingerprint"] == Model.from_pretrained(tmp_path / "run").fingerprint()
    lines = within("evaluate", "run/model", "--data", "covers").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:3]] == ["untrained", "model"]
    result = within("evaluate", "run", "--data", "covers", "--metrics", "class", code=2)
    assert "unconditional generation has no score 'class'" in result.stderr


def test_without_weights_the_frechet_distance_is_skipped_unless_requested(
    within: Command, colorizer: Path, tmp_path: Path, offline: None
) -> None:
    write_photos(tmp_path / "photos")
    result = within("evaluate", colorizer, "--data", "photos", "--json", "a.json")
    assert "Frechet" not in result.stdout
    report = json.loads((tmp_path / "a.json").read_text())
    (note,) = report["notes"]
    assert "cannot download the weights" in note
    assert note.startswith("scored without frechet: ")
    assert note in result.stderr
    assert "frechet" not in report["protocol"]
    result = within("evaluate", colorizer, "--data", "photos", "--metrics", "psnr,frechet", code=1)
    assert result.stderr.splitlines()[-1].startswith("error: cannot download the weights")
    assert result.stdout == ""


def test_without_weights_a_suite_of_the_frechet_distance_alone_is_an_error(
    within: Command, tmp_path: Path, offline: None
) -> None:
    write_pairs(tmp_path / "data")
    save_identity_model(tmp_path / "both", paired=False)
    result = within("evaluate", "both", "--data", "data", code=1)
    assert result.stderr.splitlines()[-1].startswith("error: cannot download the weights")
    error = within("evaluate", "both", "--data", "data", "--metrics", "kernel", code=1).stderr.splitlines()[
        -1
    ]
    assert "leave frechet and kernel out" in error


def test_a_model_is_not_scored_by_the_backbone_of_its_discriminator(
    within: Command, tmp_path: Path, offline: None
) -> None:
    write_pairs(tmp_path / "data")
    model = create_identity_model("AtoB", paired=False)
    model.config.trained_on["discriminator_backbone"] = "mobilenet_v2"
    model.save_pretrained(tmp_path / "projected")
    result = within("evaluate", "projected", "--data", "data")
    assert "trained with MobileNetV2" in result.stderr
    heading, *_, frechet, kernel = result.stdout.splitlines()
    assert heading.split() == ["direction", "images", "Frechet", "kernel"]
    assert "EfficientNet-Lite0" in frechet
    assert "EfficientNet-Lite0" in kernel


def test_skipped_images_are_listed_and_the_exit_code_is_3(
    within: Command, colorizer: Path, tmp_path: Path
) -> None:
    write_photos(tmp_path / "photos")
    (tmp_path / "photos" / "broken\n.png").write_bytes(b"no image")
    result = within("evaluate", colorizer, "--data", "photos", *WITHOUT_WEIGHTS, "--json", "a.json", code=3)
    assert result.stdout.splitlines()[2].split()[:2] == ["model", "2"]
    (reason,) = json.loads((tmp_path / "a.json").read_text())["left_out"]
    assert reason.startswith("photos/broken\\n.png: not an image")
    skipped, error = result.stderr.splitlines()
    assert skipped.endswith(reason)
    assert error.startswith("error: 1 of 3 images")


def test_the_frechet_distance_uses_the_features_of_mobilenet(
    within: Command, real_data: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    if not (real_data / "torch" / "hub" / "checkpoints" / "mobilenet_v2-b0353104.pth").is_file():
        pytest.skip(f"no weights of MobileNetV2 in {real_data / 'torch'}")
    monkeypatch.setenv("TORCH_HOME", str(real_data / "torch"))
    save_identity_model(tmp_path / "paired", paired=True)
    data = write_pairs(tmp_path / "data")
    for seed in range(2):
        noise(data / "valB" / f"{seed}.png", 24, 32, seed=seed)
    lines = within("evaluate", "paired", "--data", "data", "--metrics", "frechet").stdout.splitlines()
    a, b = (
        MobileNetFeatures()([read_rgb(path) for path in sorted((data / part).iterdir())])
        for part in ("valA", "valB")
    )
    expected = f"{frechet_distance(a, b):.2f}"
    assert [line.split() for line in lines[1:3]] == [
        ["untranslated", "2", expected],
        ["model", "2", expected],
    ]


def test_mistakes_are_reported_in_one_line(within: Command, inpainter: Path, tmp_path: Path) -> None:
    write_photos(tmp_path / "photos")
    write_pairs(tmp_path / "pairs")
    (tmp_path / "empty").mkdir()
    save_identity_model(tmp_path / "paired", paired=True)
    for arguments, code, reason in (
        ((inpainter, "--metrics", "pnsr"), 2, "no score 'pnsr'; did you mean 'psnr'?"),
        ((inpainter, "--metrics", ""), 2, "no score ''"),
        ((inpainter, "--metrics", "psnr,colorfulness"), 2, "inpainting has no score 'colorfulness'"),
        ((IDENTITY, "--data", "pairs", "--metrics", "class"), 2, "paired translation has no score 'class'"),
        (("paired", "--baselines"), 2, "--baselines are for inpainting"),
        (("paired", "--masks", "photos"), 2, "--masks and --baselines are for inpainting"),
        ((inpainter, *WITHOUT_WEIGHTS, "--masks", "empty"), 2, "no masks in 'empty'"),
        ((inpainter, *WITHOUT_WEIGHTS, "--data", "empty"), 2, "empty"),
        ((inpainter, *WITHOUT_WEIGHTS, "--data", "photo"), 2, "'photo'"),
        (("nowhere",), 2, "nowhere"),
        ((inpainter, "--json", "empty"), 1, "cannot write empty: Is a directory"),
        ((inpainter, "--json", "photos/0.png/a"), 1, "cannot write photos/0.png/a: File exists"),
        ((inpainter, "--json", "x" * 300), 1, "File name too long"),
    ):
        data = () if "--data" in arguments else ("--data", "photos")
        result = within("evaluate", *arguments, *data, code=code)
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith("error: ")
        assert reason in line


@pytest.mark.parametrize("words", ["['--help']", "['evaluate', '--help']"])
def test_help_names_the_command_and_imports_no_torch(words: str, run: Callable[[str], str]) -> None:
    output = run(f"""
import sys
from translate.cli.main import translate
try:
    translate({words}, prog_name='translate')
except SystemExit:
    print('torch' in sys.modules, 'numpy' in sys.modules)
""")
    assert output.splitlines()[-1] == "False False"
    assert "evaluate" in output


@pytest.fixture
def run() -> Callable[[str], str]:
    """Run a script in a process of its own and return its output."""

    def run_script(code: str) -> str:
        arguments = [sys.executable, "-c", code]
        result = subprocess.run(arguments, env=environment(), capture_output=True, text=True, check=True)
        return result.stdout

    return run_script
