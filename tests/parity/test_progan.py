"""ProGAN's networks, losses and gradients are those of the authors' code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from tests.updates import Updates
from translate.methods.progan.config import ProGANConfig
from translate.methods.progan.trainer import ProGAN
from translate.methods.trainer import StepProgress
from translate.networks.blocks import PixelNorm
from translate.networks.equalized import EqualizedConv2d, EqualizedLinear
from translate.networks.growing import blend, downsample, upsample
from translate.networks.minibatch_std import append_minibatch_std

DEPTH = 3  # The file's networks generate images of 32 x 32 pixels.
LEVELS = [(0, 1.0), *((level, alpha) for level in (1, 2, 3) for alpha in (0.0, 0.3, 1.0))]
RENAMED = [  # The reference's names as patterns, and ours; {} is the level.
    (r"4x4\.Dense\.weight", "blocks.0.dense.weight"),
    (r"4x4\.Dense\.bias", "blocks.0.bias"),
    (r"4x4\.Conv\.(.*)", r"blocks.0.convolution.0.\1"),
    (r"4x4\.Dense0\.(.*)", r"blocks.0.dense.\1"),
    (r"4x4\.Dense1\.(.*)", r"blocks.0.score.\1"),
]


def our_name(network: str, name: str) -> str:
    """Return our name of a weight of the reference's generator (G) or discriminator (D)."""
    if match := re.fullmatch(r"(To|From)RGB_lod(\d)\.(.*)", name):
        level = DEPTH - int(match[2])
        return f"to_rgb.{level}.{match[3]}" if network == "G" else f"from_rgb.{level}.0.{match[3]}"
    if match := re.fullmatch(r"(\d+)x\1\.Conv(\d)\.(.*)", name):
        level = (int(match[1]) // 4).bit_length() - 1
        inner = "convolutions." if network == "G" else ""
        return f"blocks.{level}.{inner}{match[2]}.0.{match[3]}"
    (ours,) = (match.expand(ours) for theirs, ours in RENAMED if (match := re.fullmatch(theirs, name)))
    return ours


@pytest.fixture
def path(real_data: Path) -> Path:
    return real_data / "reference" / "progan.safetensors"


@pytest.fixture
def golden(path: Path) -> dict[str, Tensor]:
    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118


@pytest.fixture
def facts(path: Path) -> dict[str, Any]:
    with safe_open(path, "pt") as file:
        names = (
            "options",
            "wscale",
            *(f"loss_level{level}" for level in ("0_alpha1.0", "2_alpha0.3", "3_alpha1.0")),
        )
        return {name: json.loads(file.metadata()[name]) for name in names}


@pytest.fixture
def trainer(golden: dict[str, Tensor], facts: dict[str, Any]) -> ProGAN:
    """Return a trainer with the networks of the file, in float64."""
    options = facts["options"]
    widths = {"fmap_base": options["fmap_base"], "fmap_max": options["fmap_max"]}
    weights = {"lambda_gp": options["wgan_lambda"], "drift": options["wgan_epsilon"]}
    c = ProGANConfig(image_size=32, channels=3, latent=options["latent_size"], **widths, **weights)
    trainer = ProGAN(c).double()
    for network, name in ((trainer.g, "G"), (trainer.d, "D")):
        state = {our_name(name, key): value for key, value in select(golden, f"state_dict/{name}/").items()}
        missing, unexpected = network.load_state_dict(state, strict=False)
        assert (set(missing), unexpected) == ({"growth"} if name == "G" else set(), [])
    return trainer


def select(golden: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, by the rest of their names."""
    return {key.removeprefix(prefix): value for key, value in golden.items() if key.startswith(prefix)}


def check(ours: Tensor, expected: Tensor, name: str = "") -> None:
    assert ours.shape == expected.shape
    assert (ours - expected).abs().max() <= 1e-9 * expected.abs().max() + 1e-12, name


def images_of(golden: dict[str, Tensor], level: int) -> Tensor:
    """Return the images of the file at the size of a level."""
    images = golden["input/images"]
    for _ in range(DEPTH - level):
        images = downsample(images)
    return images


def test_every_weight_is_scaled_as_in_the_reference(trainer: ProGAN, facts: dict[str, Any]) -> None:
    for network, module in (("G", trainer.g), ("D", trainer.d)):
        scales = {
            our_name(network, f"{name}.weight"): scale for name, scale in facts["wscale"][network].items()
        }
        layers = {
            f"{name}.weight": layer.scale
            for name, layer in module.named_modules()
            if isinstance(layer, (EqualizedConv2d, EqualizedLinear))
        }
        assert layers == pytest.approx(scales, rel=1e-12)


@pytest.mark.parametrize(("level", "alpha"), LEVELS)
def test_both_networks_at_each_level(
    golden: dict[str, Tensor], trainer: ProGAN, level: int, alpha: float
) -> None:
    weight = torch.tensor(alpha, dtype=torch.float64)
    latents, images, name = golden["input/latents"], images_of(golden, level), f"level{level}_alpha{alpha}"
    weights = [weight] if level else []
    weights += [None] if alpha == 1 else []
    for each in weights:
        check(trainer.g(latents, level, each), golden[f"output/G/{name}"])
        check(trainer.d(images, each), golden[f"output/D/{name}"])
    # The model of a run that has grown so far, at the full size.
    trainer.g.growth.fill_(level - 1 + alpha)
    expected = golden[f"output/G/{name}"]
    for _ in range(DEPTH - level):
        expected = upsample(expected)
    check(trainer.g(latents), expected)


def test_pixel_norm_and_minibatch_std(golden: dict[str, Tensor], facts: dict[str, Any]) -> None:
    check(PixelNorm()(golden["input/pixel_norm"]), golden["output/pixel_norm"])
    for number, (_, group_size) in enumerate(facts["options"]["std_cases"]):
        features = append_minibatch_std(golden[f"input/minibatch_stddev/{number}"], group_size=group_size)
        check(features, golden[f"output/minibatch_stddev/{number}"])


@pytest.mark.parametrize("alpha", [0.3, 0.75, 1.0])
def test_real_images_fade_in_as_well(golden: dict[str, Tensor], alpha: float) -> None:
    x = golden["input/process_reals"] * 2 / 255 - 1
    faded = blend(upsample(downsample(x)), x, torch.tensor(alpha, dtype=torch.float64))
    check(faded, golden[f"output/process_reals/alpha{alpha}"])


@pytest.mark.parametrize(("level", "alpha"), [(0, 1.0), (2, 0.3), (3, 1.0)])
def test_the_losses_and_gradients_of_a_step(
    golden: dict[str, Tensor],
    facts: dict[str, Any],
    trainer: ProGAN,
    level: int,
    alpha: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(trainer, "noise", lambda like: golden["input/latents"])
    monkeypatch.setattr(torch, "rand", lambda *size, **options: golden["random/gp_mixing"])
    gradients: dict[str, dict[str, Tensor]] = {}

    def handle(name: str, loss: Tensor, step: bool) -> None:
        network: nn.Module = getattr(trainer, name)
        names, weights = zip(*network.named_parameters(), strict=True)
        values = torch.autograd.grad(loss, weights, allow_unused=True)
        sums = gradients.setdefault(name, {})
        for key, value in zip(names, values, strict=True):
            if value is not None:
                sums[key] = sums.get(key, 0) + value

    (phase,) = (phase for phase in trainer.phases if (phase.level, phase.fades) == (level, alpha < 1))
    fraction = phase.start + alpha * (phase.end - phase.start) * phase.fades
    progress = StepProgress(fraction=fraction, fraction_tensor=torch.tensor(fraction, dtype=torch.float64))
    losses = trainer.step({"image": images_of(golden, level)}, Updates(handle), progress)
    name = f"level{level}_alpha{alpha}"
    for theirs, ours in (("G", "g"), ("D", "d")):
        assert losses[ours].item() == pytest.approx(facts[f"loss_{name}"][theirs], rel=1e-9)
        expected = {
            our_name(theirs, key): value
            for key, value in select(golden, f"output/loss/{name}/{theirs}_param_grad/").items()
        }
        assert gradients[ours].keys() <= expected.keys()
        for key, value in expected.items():
            check(gradients[ours].get(key, torch.zeros_like(value)), value, key)
