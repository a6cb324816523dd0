"""ProGAN grows level by level: its schedule, its batches, the start of a phase, and a half-grown model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import translate
from tests.images import demo
from tests.updates import plain_updates
from translate.methods.progan.config import ProGANConfig
from translate.methods.progan.schedule import phase_index, plan_phases
from translate.methods.progan.task import TASK
from translate.methods.progan.trainer import ProGAN
from translate.methods.trainer import StepProgress
from translate.networks.growing import level_of, upsample
from translate.training.runs import checkpoint

SMALL: dict[str, Any] = {"fmap_base": 64, "fmap_max": 8, "latent": 6, "batch_size": 2}


def new_trainer(**settings: Any) -> ProGAN:
    torch.manual_seed(0)
    return ProGAN(ProGANConfig(**{**SMALL, "image_size": 16, "channels": 3, **settings}))


def take_step(trainer: ProGAN, fraction: float) -> None:
    """Take a step at a fraction of the run, on images of the size of its level."""
    level = trainer.phases[phase_index(trainer.phases, fraction)].level
    images = torch.rand(4, 3, 4 * 2**level, 4 * 2**level) * 2 - 1
    progress = StepProgress(fraction=fraction, fraction_tensor=torch.tensor(fraction))
    trainer.step({"image": images}, plain_updates(trainer), progress)


def test_by_default_all_phases_see_equally_many_images() -> None:
    c = ProGANConfig(image_size=128)
    phases = plan_phases(c)
    kinds = [(phase.level, phase.fades) for phase in phases]
    assert kinds == [(0, False), *((level, fades) for level in range(1, 6) for fades in (True, False))]
    images = [(phase.end - phase.start) * c.batch_size_at(phase.level) for phase in phases]
    assert images == pytest.approx(len(phases) * [images[0]])
    assert phases[-1].end == pytest.approx(1)


def test_growth_and_fade_divide_the_run() -> None:
    *growing, full = plan_phases(ProGANConfig(image_size=32, growth=0.25, fade=0.2))
    assert (full.start, full.end) == (pytest.approx(0.25), pytest.approx(1))
    fading, stable = (
        [p.end - p.start for p in growing if (p.level, p.fades) == (1, f)] for f in (True, False)
    )
    assert fading[0] == pytest.approx(stable[0] / 4)
    phases = plan_phases(ProGANConfig(image_size=32, growth=0))
    assert phases[phase_index(phases, 0)].level == 3


@pytest.mark.parametrize(("image_size", "batch_size"), [(128, 16), (512, 4)])
def test_the_batches_are_those_of_the_authors_code(image_size: int, batch_size: int) -> None:
    published = [128, 128, 128, 64, 32, 16, 8, 4]
    c = ProGANConfig(image_size=image_size, batch_size=batch_size)
    batches = [c.batch_size_at(level) for level in range(c.depth + 1)]
    assert batches == published[: c.depth + 1]


def test_the_dataset_has_the_size_of_the_level_and_no_batch_is_larger_than_it(tmp_path: Path) -> None:
    data = demo(tmp_path / "data")
    c = ProGANConfig(**SMALL, image_size=32, data=str(data), cache_size=0)
    c = c.replace(**TASK.data(c).settings)
    sizes = []
    for fraction in (0.0, 0.3, 1.0):
        stage = c.replace(**TASK.settings_at(c, StepProgress(fraction=fraction)))
        images = TASK.data(stage).train
        sizes.append(images.image_size)
        assert stage.batch_size <= len(images)
    assert sizes == [4, 16, 32]


def test_adam_starts_anew_with_each_phase() -> None:
    trainer = new_trainer()
    steps = []
    for phase in trainer.phases:
        for share in (0.2, 0.5, 0.8):
            take_step(trainer, phase.start + share * (phase.end - phase.start))
            states = [state for o in trainer.optimizers.values() for state in o.state.values()]
            steps.append(max(state["step"].item() for state in states))
    assert steps == len(trainer.phases) * [1, 2, 3]


def test_a_generator_that_still_grows_enlarges_what_it_is_trained_on() -> None:
    trainer, noise = new_trainer(), torch.randn(2, 6)
    fade = next(phase for phase in trainer.phases if (phase.level, phase.fades) == (1, True))
    take_step(trainer, fade.start + 0.25 * (fade.end - fade.start))
    assert trainer.g.growth.item() == pytest.approx(0.25)
    assert trainer.g(noise).equal(upsample(trainer.g(noise, 1, trainer.g.growth)))
    take_step(trainer, 1.0)
    assert trainer.g.growth.item() == 2
    assert trainer.g(noise).equal(trainer.g(noise, 2))


def test_only_the_levels_that_are_there_are_trained() -> None:
    trainer = new_trainer()
    before = {name: weight.clone() for name, weight in trainer.named_parameters()}
    fade = next(phase for phase in trainer.phases if (phase.level, phase.fades) == (1, True))
    take_step(trainer, (fade.start + fade.end) / 2)
    changed = {name for name, weight in trainer.named_parameters() if not weight.equal(before[name])}
    levels = {name: int(name.split(".")[2]) for name in before}  # As in g.blocks.1.convolutions.
    assert changed == {name for name, level in levels.items() if level <= 1}


def test_a_grown_model_is_trained_further_with_its_own_widths(tmp_path: Path) -> None:
    data, small = demo(tmp_path / "data"), {"workers": 0, "device": "cpu", "steps": 1, "growth": 0}
    run = {"data": str(data), "batch_size": 2, **small}
    first = translate.train("progan", out=str(tmp_path / "1"), **{**SMALL, "image_size": 8, **run})
    second = translate.train("progan", out=str(tmp_path / "2"), init=str(tmp_path / "1"), lr=0, ema=0, **run)
    assert second.config.image_size == 8
    for name, weight in first.generator.state_dict().items():
        assert weight.equal(second.generator.state_dict()[name])


@pytest.fixture
def undo_deterministic() -> Any:
    """Undo `deterministic` after a test, because it is a setting of the process."""
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("undo_deterministic")
def test_a_run_resumes_in_the_middle_of_a_fade_and_its_model_has_the_full_size(tmp_path: Path) -> None:
    data, name = demo(tmp_path / "data"), "checkpoints/step-{:08d}.safetensors"
    settings = {**SMALL, "image_size": 8, "workers": 0, "device": "cpu", "deterministic": True}
    for out in ("whole", "resumed"):
        run = {"data": str(data), "out": str(tmp_path / out), "checkpoint_every": 4, "keep_checkpoints": 9}
        translate.train("progan", **settings, **run, steps=10)
    for step in (8, 10):  # As if the run had been killed after step 4; it fades from 2 to 6.
        (tmp_path / "resumed" / name.format(step)).unlink()
    growing = checkpoint.load(tmp_path / "resumed" / name.format(4))
    assert growing["ema"]["copies.sample.growth"].item() == pytest.approx(0.25)
    sampler = translate.train("progan", out=str(tmp_path / "resumed"), resume=True)
    expected, resumed = (load_file(tmp_path / out / name.format(10)) for out in ("whole", "resumed"))
    assert expected.keys() == resumed.keys()
    assert [key for key in expected if not expected[key].equal(resumed[key])] == []
    log = (tmp_path / "resumed" / "log.txt").read_text()
    assert log.index("image_size 4, batch_size 4") < log.index("from step 2 on: those of the run")
    assert sampler(sampler.draw(1))[0].shape == (8, 8, 3)
    assert level_of(sampler.config.image_size) == sampler.generator.growth.item() == 1
