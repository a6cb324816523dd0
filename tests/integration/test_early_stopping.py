"""The best checkpoint of a method without pairs, and runs that end when no better one comes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.images import demo
from tests.integration.conftest import TINY, TINY_TRANSLATION, Command
from translate.methods import references

TRAIN = [*TINY_TRANSLATION, "--data", "data", "--precision", "fp32", "--keep-checkpoints", "20"]


def validations(run: Path, name: str) -> dict[int, float]:
    """Return a score by step."""
    records = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    return {record["step"]: record[name] for record in records if name in record}


def test_the_lowest_kernel_distance_selects_the_best_model_of_cyclegan(
    within: Command, tmp_path: Path
) -> None:
    demo(tmp_path / "data", test=4)
    run = tmp_path / "run"
    options = ["--steps", "4", "--lr", "0.02", "--ema", "0", "--dropout"]
    output = within("train", "cyclegan", *TRAIN, *options, "--checkpoint-every", "1", "--out", run).stderr
    scores = validations(run, "val_kernel")
    best = min(scores, key=lambda step: scores[step])
    assert len(set(scores.values())) == 4
    assert json.loads((run / "model-best" / "config.json").read_text())["trained_on"]["steps"] == best
    assert all(
        score > 0 for name in ("AtoB", "BtoA") for score in validations(run, f"val_kernel_{name}").values()
    )
    assert validations(run, "val_cycle_a")
    assert "EfficientNet-Lite0" in output
    assert "12 of B, 12 of A" in output

    # The validations have drawn no random numbers of the training: the images in the pools are the same.
    other = tmp_path / "other"
    within("train", "cyclegan", *TRAIN, *options, "--checkpoint-every", "4", "--out", other)
    weights, others = (load_file(each / "model" / "model.safetensors") for each in (run, other))
    assert all(torch.equal(weights[name], others[name]) for name in weights)


def test_a_run_ends_after_validations_without_a_better_score(
    within: Command, data: Path, tmp_path: Path
) -> None:
    # With such a learning rate, the weights soon grow so large that all images are the same.
    run = tmp_path / "run"
    options = ["--generator", "resnet", "--lr", "0.5", "--ema", "0", "--steps", "40"]
    options += ["--checkpoint-every", "1", "--early-stopping", "2"]
    output = within("train", "pix2pix", *TRAIN, *options, "--out", run)
    scores = validations(run, "val_l1")
    assert "next: translate apply run/model-best" in output.stdout.replace(f"{tmp_path}/", "")
    last, best = max(scores), min(scores, key=lambda step: scores[step])
    assert last == best + 2
    assert last < 40
    assert (
        f"early stopping, 2 validations without a better score: the best val_l1 is {scores[best]:.4f}"
        in output.stderr
    )

    resume = ["train", "pix2pix", "--resume", "--out", run]
    output = within(*resume)
    assert f"ended at step {last} already" in output.stderr
    assert "--early-stopping" in output.stderr
    assert max(validations(run, "val_l1")) == last

    within(*resume, "--early-stopping", "0", "--steps", str(last + 2))
    assert max(validations(run, "val_l1")) == last + 2


def test_early_stopping_is_refused_where_no_score_selects_a_checkpoint(
    within: Command, data: Path, tmp_path: Path
) -> None:
    output = within("train", "colorize", "--data", "data/trainA", "--early-stopping", "3", code=2).stderr
    assert "early_stopping 3" in output
    assert "colorize has none" in output


def test_early_stopping_is_refused_for_attributes(within: Command, tmp_path: Path) -> None:
    folder = demo(tmp_path / "data") / "trainA"
    rows = [
        f"{path.name},{number % 2},{number // 2 % 2}" for number, path in enumerate(sorted(folder.iterdir()))
    ]
    (tmp_path / "labels.csv").write_text("\n".join(["name,striped,dark", *rows]))
    options = ["--data", folder, "--labels", "labels.csv", "--early-stopping", "3", "--steps", "1", *TINY]
    output = within("train", "stargan", *options, code=2).stderr
    assert "early_stopping 3" in output
    assert "attributes" in output


def test_the_reason_for_a_missing_score_is_logged_once(within: Command, tmp_path: Path) -> None:
    demo(tmp_path / "data", test=1)
    options = ["--steps", "3", "--checkpoint-every", "1", "--early-stopping", "2"]
    output = within("train", "cyclegan", *TRAIN, *options, "--out", "run").stderr
    assert output.count("checkpoint at step") == 3
    assert output.count("val_kernel is not scored: AtoB has 1 validation image") == 1
    assert output.count("early stopping does not count") == 1


def test_a_signal_ends_the_preparation_of_the_score_and_the_run_goes_on_later(
    within: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    demo(tmp_path / "data", test=4)
    compute = references.compute_references

    def interrupted(*arguments: object) -> Iterator[str]:
        parts = compute(*arguments)  # type: ignore[arg-type]
        yield next(parts)
        os.kill(os.getpid(), signal.SIGINT)
        yield from parts

    options = ["--steps", "2", "--out", "run"]
    with monkeypatch.context() as patch:
        patch.setattr(references, "compute_references", interrupted)
        output = within("train", "cyclegan", *TRAIN, *options, code=130).stderr
    assert "stopped before the first step" in output
    assert "--out run --resume" in output
    output = within("train", "cyclegan", "--out", "run", "--resume").stderr
    assert "checkpoint at step 2" in output
    assert "12 of B, 12 of A" in output
