"""The scripts in tools/: the scores of the built-in dataset, contact sheets, and benchmarks."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from tests.images import demo
from tests.integration.conftest import environment
from translate.data.demo import write_coats
from translate.images import read_rgb
from translate.inference import Predictor, load_predictor
from translate.models import Model
from translate.training.step.stepper import Stepper

TOOLS = Path(__file__).parents[2] / "tools"
CUDA = torch.device("cuda")
Result = subprocess.CompletedProcess[str]


def run_tool(name: str, *arguments: str | Path, code: int = 0) -> Result:
    """Run a script of tools/ in a process of its own; the exit code must be `code`."""
    command = [sys.executable, TOOLS / name, *arguments]
    result = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert result.returncode == code, result.stderr
    return result


@pytest.fixture
def timing(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The modules of tools/timing/."""
    monkeypatch.syspath_prepend(str(TOOLS))
    from timing import applying, cost, loading, measure, training

    return SimpleNamespace(applying=applying, cost=cost, loading=loading, measure=measure, training=training)


@pytest.fixture
def score_demo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module tools/score_demo.py."""
    monkeypatch.syspath_prepend(str(TOOLS))
    import score_demo

    return score_demo


def test_horses_have_no_stripes_and_zebras_have(score_demo: ModuleType, tmp_path: Path) -> None:
    data = demo(tmp_path, train=0, test=20, size=64)
    for path in sorted((data / "testA").iterdir()):
        horse, zebra = read_rgb(path), read_rgb(data / "testB" / path.name)
        assert not score_demo.score(horse, horse, zebra).striped
        assert not score_demo.score(np.full_like(horse, 128), horse, zebra).striped
        assert score_demo.score(255 - zebra, horse, zebra).right_side == 0
        perfect = score_demo.score(zebra, horse, zebra)
        assert perfect.striped
        assert (perfect.right_side, perfect.psnr) == (1, np.inf)
        assert (perfect.background_error, perfect.background_energy) == (0, 1)
        assert score_demo.score(np.full_like(horse, 128), horse, zebra).background_energy == 0


def test_coats_are_scored_for_each_pair_of_them(
    score_demo: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import score_coats

    write_coats(tmp_path, size=16, train=0, test=3)
    monkeypatch.setattr(score_coats, "SCENES", 5)
    monkeypatch.setattr(score_coats, "STEPS", 2)
    # A model that returns its input, but makes black horses darker.
    monkeypatch.setattr(
        score_coats.translate,
        "load",
        lambda *args, **options: lambda image, to: image // 2 if to == "black" else image,
    )
    scores, accuracy = score_coats.score_coats("a model", tmp_path, device="cpu")
    assert len(scores) == 6
    assert 0 <= accuracy <= 1
    for (_, target), each in scores.items():
        assert (each.psnr == each.psnr_of_input) == (target != "black")
        assert 0 <= each.hit_rate <= 1
    score_coats.print_scores(scores, accuracy)
    output = capsys.readouterr().out
    assert "brown to striped" in output
    assert "taken for the coat asked for" in output


def test_score_demo_prints_the_scores_of_a_model(model: Path) -> None:
    options = ["--data", model.parent / "data", "--device", "cpu"]
    lines = run_tool("score_demo.py", model, *options).stdout.splitlines()
    scores = dict(line.split("  ", 1) for line in lines)
    assert list(scores) == [
        "scenes",
        "PSNR, mean",
        "body on the right side of mid-gray",
        "striped horses",
        "background, RMS error",
        "background, gradient energy",
    ]
    assert scores["scenes"].strip() == "2"
    assert 0 < float(scores["PSNR, mean"].removesuffix("dB")) < 50


def test_a_contact_sheet_has_a_column_for_each_folder(tmp_path: Path) -> None:
    data = demo(tmp_path / "data")
    columns = [f"horse={data / 'trainA'}", f"zebra={data / 'trainB'}"]
    out = tmp_path / "sheet.png"
    run_tool("contact_sheet.py", *columns, "-o", out, "--rows", "4", "--side", "32")
    assert read_rgb(out).shape == (18 + 4 * 36, 4 + 2 * 36, 3)
    result = run_tool("contact_sheet.py", "horse=nowhere", "-o", out, code=2)
    assert "'horse=nowhere' is not NAME=FOLDER" in result.stderr


@pytest.mark.parametrize("recipe", ["cyclegan", "cut", "fastcut", "pix2pix", "dcgan"])
def test_the_plain_recipe_and_the_trainer_take_the_same_steps(
    recipe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    from timing import plain, training

    case = training.Case(recipe, 64, 2)
    settings = {} if recipe == "dcgan" else {"dropout": False}
    c = case.config(ngf=4, ndf=4, precision="fp32", device="cpu", **settings)
    stepper = Stepper(case.trainer(c).double(), c)
    plain_networks: dict[str, torch.nn.Module] = {}

    def record_copy(trainer: torch.nn.Module, name: str) -> torch.nn.Module:
        plain_networks[name] = plain.plain_copy(getattr(trainer, name))
        return plain_networks[name]

    monkeypatch.setattr(plain, "trainable_copy", record_copy)
    plain_step = plain.STEPS[recipe](stepper.trainer, c)
    batch = {name: images.double() / 127.5 - 1 for name, images in case.batch().items()}
    initial_weights = [weight.detach().clone() for weight in stepper.trainer.parameters()]
    torch.set_default_dtype(torch.float64)  # The noise of DCGAN is drawn in the default dtype.
    try:
        for number in range(2):
            torch.manual_seed(number)
            plain_step(batch)
            torch.manual_seed(number)
            stepper.step(batch, steps_done=number)
    finally:
        torch.set_default_dtype(torch.float32)
    assert plain_networks
    for name, network in plain_networks.items():
        weights = getattr(stepper.trainer, name).parameters()
        for plain_weight, weight in zip(network.parameters(), weights, strict=True):
            # The gradient of a bias in front of a norm is rounding noise, which Adam scales up.
            assert (plain_weight - weight).abs().max() < (1e-9 if weight.ndim > 1 else 1e-6), name
    changes = [
        (weight - initial).abs().max()
        for weight, initial in zip(stepper.trainer.parameters(), initial_weights, strict=True)
    ]
    assert max(changes) > 1e-4


@pytest.mark.parametrize(("case", "gmac"), [("pix2pix-256", 44), ("cyclegan-256", 942), ("cut-128", 177)])
def test_the_benchmark_counts_the_flops_of_a_step(case: str, gmac: float, timing: SimpleNamespace) -> None:
    """The numbers of multiply-accumulate operations were counted by hand from the layers."""
    training = timing.training
    assert training.count_flops(training.CASES[case]) / 2e9 == pytest.approx(gmac, rel=0.03)


@pytest.mark.parametrize(("case", "share"), [("cut-128", 0.8), ("fastcut-128", 0.65)])
def test_contrastive_translation_in_one_direction_needs_less_memory_than_cyclegan(
    case: str, share: float, timing: SimpleNamespace
) -> None:
    cases = [timing.training.CASES[name] for name in (case, "cyclegan-128")]
    rows = [{"case": str(each), "way": "ours, --precision fp32", "ms": 1.0} for each in cases]
    timing.cost.add_tensors(cases, rows)
    timing.cost.compare_with_cyclegan(rows)
    assert 0.3 < rows[0]["tensors_share"] <= share
    assert "tensors_share" not in rows[1]


def test_the_benchmark_times_on_a_gpu_all_ways_that_differ_there(timing: SimpleNamespace) -> None:
    """No GPU is needed to see what would be timed."""
    training = timing.training
    assert set(training.default_cases(CUDA)) <= set(training.CASES)
    variants = training.variants(training.CASES["dcgan-64"], training.default_ways(CUDA), CUDA, None)
    assert list(variants) == [
        "plain, fp32",
        "plain, TF32",
        "ours, --graph off --compile off",
        "ours, --compile off",
        "ours, --compile on",
        "ours, no flag given",
        "ours, no flag given, once compiled",
    ]


def test_the_benchmark_compares_a_step_with_float32_and_tf32(timing: SimpleNamespace) -> None:
    times = {"plain, fp32": (0.08, 20), "plain, TF32": (0.06, 20), "ours, no flag given": (0.02, 5)}
    timings = {
        name: timing.measure.Timing(seconds, 7.5, gigabytes * 10**9, 10**9)
        for name, (seconds, gigabytes) in times.items()
    }
    case = timing.training.CASES["dcgan-64"]
    *_, row = timing.training.compare(case, timings, rate=1e12)
    assert (row["ratio"], row["ratio_tf32"]) == (pytest.approx(4), pytest.approx(3))
    assert (row["memory"], row["peak_gb"], row["start"]) == (0.25, 5, 7.5)
    (row,) = timing.training.compare(case, {"ours, no flag given": timings["plain, fp32"]}, rate=1e12)
    assert "ratio" not in row


def test_the_benchmark_skips_what_is_not_compiled_on_this_machine(
    timing: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    case = timing.training.Case("dcgan", 64, 2)
    with pytest.raises(RuntimeError, match="compiled later"):
        timing.training.build_ours(case, "no flag given, once compiled", timing.measure.CPU)
    assert "dcgan, 64 px, batch 2, no flag given, once compiled: cpu" in capfd.readouterr().err


def test_the_benchmark_finds_outputs_that_depend_on_other_images(
    timing: SimpleNamespace, model: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    applying = timing.applying
    monkeypatch.setenv("TRANSLATE_CACHE", str(tmp_path / "cache"))
    trained = Model.from_pretrained(model)
    ours = applying.our_variant(lambda: load_predictor(trained, device="cpu", engine="torch"))
    files = applying.write_jpegs(tmp_path / "in", model.parent / "data" / "trainA", 5, 32)
    assert applying.count_differing(ours, files, tmp_path) == 0
    (row,) = applying.time_variants({"ours": ours}, files, tmp_path, 1)
    assert row["images_a_second"] > 0
    assert row["after_start"] > 0

    directions = iter(["AtoB", *6 * ["BtoA"]])  # The images that are translated alone come out differently.

    def load() -> Predictor:
        return load_predictor(trained, device="cpu", engine="torch", direction=next(directions))

    assert applying.count_differing(dataclasses.replace(ours, load=load), files, tmp_path / "2") == 5


def test_the_benchmark_tells_how_long_training_waits_for_images(
    timing: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRANSLATE_CACHE", str(tmp_path / "cache"))
    data, small = demo(tmp_path / "data", train=4, test=0, size=32), {"ngf": 4, "ndf": 4}
    row = timing.loading.waiting_row(
        data / "trainA", tmp_path / "run", timing.measure.CPU, steps=2, image_size=32, batch_size=2, **small
    )
    assert 0 <= row["waiting"] <= 1
    assert row["images_a_second"] > 0


def test_the_benchmark_times_a_training_step_and_the_plain_recipe(timing: SimpleNamespace) -> None:
    training = timing.training
    case = training.Case("dcgan", 64, 2)
    plain, ours = training.rows(
        [case], ["no flag given"], 1, rate=1e12, device=timing.measure.CPU, folder=None
    )
    assert (plain["way"], ours["way"]) == ("plain", "ours, no flag given")
    assert ours["ratio"] == pytest.approx(plain["ms"] / ours["ms"])
    for row in (plain, ours):
        assert row["share"] == pytest.approx(training.count_flops(case) / (row["ms"] / 1000) / 1e12)
        assert 0.1 < row["peak_gb"] < 3


def test_the_benchmark_times_what_is_compared_with_cyclegan_in_turn(timing: SimpleNamespace) -> None:
    names = ["pix2pix-256", "cut-128", "cyclegan-256", "cyclegan-128"]
    cases = [timing.training.CASES[name] for name in names]
    pix2pix, cut, large, cyclegan = cases
    assert timing.cost.group_cases(cases, timing.measure.CPU) == [[pix2pix], [cut, cyclegan], [large]]
    assert timing.cost.group_cases(cases, torch.device("cuda")) == [[case] for case in cases]


@pytest.mark.parametrize(
    ("option", "message"),
    [(["--device", "tpu"], "device 'tpu'"), (["--reference", "nowhere"], "'nowhere' does not exist")],
)
def test_the_benchmark_refuses_unknown_devices_and_folders(option: list[str], message: str) -> None:
    assert message in run_tool("benchmark.py", "train", *option, code=2).stderr


@pytest.mark.slow
def test_the_benchmark_times_data_loading_with_and_without_the_cache(tmp_path: Path) -> None:
    sizes = ["--count", "16", "--batches", "2", "--rounds", "1", "--side", "64"]
    result = run_tool("benchmark.py", "data", *sizes, "--json", tmp_path / "t.json")
    rows = json.loads((tmp_path / "t.json").read_text())["rows"]
    assert [row["way"] for row in rows] == ["plain loader", "ours, --cache-size 0", "ours"]
    assert all(f"| {row['way']} | {row['images_a_second']:.0f} |" in result.stdout for row in rows)


@pytest.mark.usefixtures("torch_engine_only")
def test_the_measurement_of_small_data_trains_each_run_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(TOOLS))
    import small_data

    monkeypatch.setattr(small_data, "TRAIN", 4)
    monkeypatch.setattr(small_data, "TEST", 8)
    tiny = {"image_size": 32, "load_size": 32, "blocks": 0, "ngf": 2, "ndf": 2, "d_layers": 2}
    monkeypatch.setattr(small_data, "SETTINGS", {**small_data.SETTINGS, **tiny})
    command = [str(tmp_path), "--seeds", "0", "--steps", "1", "--device", "cpu"]
    first = CliRunner().invoke(small_data.main, command)
    assert first.exit_code == 0, first.output
    assert "small_data against plain: mean kernel distance" in first.stdout
    models = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/model/*.safetensors")}
    assert len(models) == 2
    assert CliRunner().invoke(small_data.main, command).stdout == first.stdout
    assert {path: path.stat().st_mtime_ns for path in models} == models
    longer = CliRunner().invoke(small_data.main, [*command, "--steps", "2"])
    assert longer.exit_code == 2
    assert "another FOLDER" in longer.stderr
