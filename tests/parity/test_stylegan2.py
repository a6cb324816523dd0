"""StyleGAN2's networks, penalties and two training steps are those of the StyleGAN2-ADA authors' code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from tests.updates import Updates
from translate.losses import vanilla, zero_centered_penalty
from translate.methods.stylegan2.config import StyleGAN2Config
from translate.methods.stylegan2.trainer import StyleGAN2
from translate.methods.trainer import StepProgress
from translate.networks.generators.noise.stylegan2 import SynthesisLayer
from translate.training.step.ema import EMA

RESOLUTION = 32
PHASES = ("Gmain", "Greg", "Dmain")
G_RULES = [
    (r"mapping\.fc(\d)", r"mapping.layers.\1"),
    (r"w_avg", "w_mean"),
    (r"(conv\d)\.(affine|weight)", r"\1.conv.\2"),
    (r"noise_const", "noise"),
    (r"torgb\.bias", "rgb_bias"),
    (r"torgb", "to_rgb"),
    (r"const$", "constant"),
]


def load(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of a golden file, and its options and scalars."""
    with safe_open(path, "pt") as file:
        facts = {key: json.loads(text) for key, text in file.metadata().items() if text[0] in "{["}
        return {key: file.get_tensor(key) for key in file.keys()}, facts  # noqa: SIM118


def select(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): x for key, x in tensors.items() if key.startswith(prefix)}


def own_key(network: str, key: str) -> str:
    """Return our key of a weight of the reference."""
    if network == "D":
        key = re.sub(r"^b32\.fromrgb", "from_rgb", key)
        key = re.sub(r"^b4\.(conv|fc|out)", r"\1", key)
        return re.sub(r"^b(\d+)", lambda m: f"blocks.{(RESOLUTION // int(m[1])).bit_length() - 1}", key)
    key = re.sub(r"^synthesis\.b(\d+)", lambda m: f"blocks.{(int(m[1]) // 4).bit_length() - 1}", key)
    for pattern, replacement in G_RULES:
        key = re.sub(pattern, replacement, key)
    return key


def own_weights(network: str, tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    weights = select(tensors, f"{prefix}/{network}/" if prefix.count("/") == 0 else prefix)
    return {own_key(network, key): x for key, x in weights.items() if "resample_filter" not in key}


def new_trainer(options: dict[str, Any], tensors: dict[str, Tensor], state: str) -> StyleGAN2:
    """Return a trainer in float64 with the weights of a golden file."""
    c = StyleGAN2Config(
        image_size=RESOLUTION,
        latent=options["z_dim"],
        fmap_base=options["channel_base"] // 2,
        fmap_max=options["channel_max"],
        mapping_depth=options["mapping_layers"],
        std_group=options["mbstd_group_size"],
        batch_size=options.get("batch_size", 4),
        lambda_r1=options["r1_gamma"],
        ada=False,
        device="cpu",
    )
    trainer = ReplayedStyleGAN2(c).double()
    for name, network in (("G", trainer.g), ("D", trainer.d)):
        filters = {key: x for key, x in network.state_dict().items() if key.endswith("taps")}
        network.load_state_dict(own_weights(name, tensors, state) | filters)
    trainer.path_mean.fill_(options["pl_mean0"])
    return trainer


class ReplayedStyleGAN2(StyleGAN2):
    """A StyleGAN2 that takes the random numbers of a file, phase after phase."""

    replay: Iterator[tuple[Tensor, dict[str, Tensor]]]
    directions: Tensor

    def draw_styles(self, count: int) -> Tensor:
        z, random = next(self.replay)
        layers = [module for module in self.g.modules() if isinstance(module, SynthesisLayer)]
        names = sorted(
            (key for key in random if key.startswith("noise/")),
            key=lambda key: (int(re.findall(r"b(\d+)", key)[0]), key),
        )
        for layer, name in zip(layers, names, strict=True):
            layer.draw_noise = lambda count, noise=random[name]: noise  # type: ignore[method-assign]
        self.directions = random.get("pl_noise", torch.empty(0))
        is_mixed = random["mixing_uniform"] < self.c.style_mixing
        first = torch.where(is_mixed, random["mixing_cutoff"], self.g.layers)
        return self.map_noise(z[:count], random["mixing_z"], first)

    def draw_directions(self, images: Tensor) -> Tensor:
        return self.directions


def assert_near(found: Tensor, expected: Tensor, tolerance: float = 1e-9) -> None:
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= tolerance * expected.abs().max() + 1e-12


@pytest.fixture
def golden(real_data: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    return load(real_data / "reference" / "stylegan2.safetensors")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_generator(golden: tuple[dict[str, Tensor], dict[str, Any]], dtype: torch.dtype) -> None:
    tensors, facts = golden
    tolerance = 1e-9 if dtype == torch.float64 else 2e-5
    g = new_trainer(facts["options"], tensors, "state_dict").g.eval().to(dtype)
    z = tensors["input/z"].to(dtype)
    w = g.mapping(z)
    assert_near(w, tensors["output/w"], tolerance)
    assert_near(g(z), tensors["output/image_const"], tolerance)
    truncated = g.mapping.w_mean.lerp(w, 0.7)[:, None].expand(-1, g.layers, -1)
    assert_near(truncated, tensors["output/ws_psi0.7"], tolerance)
    assert_near(g(w=truncated), tensors["output/image_const_psi0.7"], tolerance)
    maps = select(tensors, "input/noise/")
    order = ("b4.conv1", "b8.conv0", "b8.conv1", "b16.conv0", "b16.conv1", "b32.conv0", "b32.conv1")
    noise = [maps[name].to(dtype) for name in order]
    assert_near(g(z, noise=noise), tensors["output/image_random"], tolerance)
    assert_near(g(z, noise=[torch.zeros_like(x) for x in noise]), tensors["output/image_none"], tolerance)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_discriminator(golden: tuple[dict[str, Tensor], dict[str, Any]], dtype: torch.dtype) -> None:
    tensors, facts = golden
    tolerance = 1e-9 if dtype == torch.float64 else 2e-5
    d = new_trainer(facts["options"], tensors, "state_dict").d.to(dtype)
    scores = d(tensors["input/images"].to(dtype))
    assert_near(scores[:, :, 0, 0], tensors["output/D_logits"], tolerance)


def test_the_path_length_regularization(golden: tuple[dict[str, Tensor], dict[str, Any]]) -> None:
    tensors, facts = golden
    trainer = new_trainer(facts["options"], tensors, "state_dict")
    trainer.g.eval()  # With constant noise.
    trainer.directions = tensors["input/pl/noise"]
    w = trainer.g.mapping(tensors["input/z"])[:, None].expand(-1, trainer.g.layers, -1)
    penalty = trainer.path_length_penalty(w)
    assert_near(penalty, tensors["output/pl/penalty"].mean())
    assert_near(trainer.path_mean, tensors["output/pl/pl_mean_after"])
    check_gradients(trainer.g, "G", 2 * penalty, own_weights("G", tensors, "output/pl/param_grad/"))


def test_r1(golden: tuple[dict[str, Tensor], dict[str, Any]]) -> None:
    tensors, facts = golden
    trainer = new_trainer(facts["options"], tensors, "state_dict")
    penalty = zero_centered_penalty(trainer.d, tensors["input/images"])
    assert_near(2 * penalty, tensors["output/r1/penalty"].mean())
    gamma = facts["options"]["r1_gamma"]
    check_gradients(trainer.d, "D", gamma * penalty, own_weights("D", tensors, "output/r1/param_grad/"))


def check_gradients(network: nn.Module, name: str, loss: Tensor, expected: dict[str, Tensor]) -> None:
    loss.backward()
    largest = max(x.abs().max() for x in expected.values())
    for key, weight in network.named_parameters():
        gradient = torch.zeros_like(weight) if weight.grad is None else weight.grad
        assert (gradient - expected[key]).abs().max() <= 1e-9 * largest, (name, key)


def test_the_losses(golden: tuple[dict[str, Tensor], dict[str, Any]]) -> None:
    tensors, _ = golden
    logits, gan = tensors["output/D_logits"], vanilla()
    assert_near(gan.generator_loss(logits), tensors["output/loss/G"].mean())
    assert_near(gan.real_loss(logits), tensors["output/loss/D_real"].mean())
    assert_near(gan.fake_loss(logits), tensors["output/loss/D_fake"].mean())


def test_two_steps_equal_those_of_the_reference(real_data: Path) -> None:
    tensors, facts = load(real_data / "reference" / "train_stylegan2.safetensors")
    options = facts["options"]
    trainer = new_trainer(options, tensors, "before")
    trainer.train()
    ema = EMA(trainer.generators, 0.5)
    ema.one_minus_decay = torch.tensor(
        1 - 0.5 ** (options["batch_size"] / (1000 * options["ema_kimg"])), dtype=torch.float64
    )
    norms: list[float] = []

    def update(name: str, loss: Tensor, step: bool) -> None:
        weights = list(getattr(trainer, name).parameters())
        torch.autograd.backward(loss, inputs=weights)
        assert all(weight.grad is not None for weight in weights), name
        norms.append(torch.cat([weight.grad.flatten() for weight in weights]).norm().item())
        trainer.optimizers[name].step()
        trainer.optimizers[name].zero_grad()

    for step, expected in enumerate(facts["losses"]):
        phases = [phase for phase in PHASES if f"input/{step}/{phase}/z" in tensors]
        trainer.replay = iter(
            [(tensors[f"input/{step}/{p}/z"], select(tensors, f"random/{step}/{p}/")) for p in phases]
        )
        norms.clear()
        losses = trainer.step(
            {"image": tensors[f"input/{step}/real"]}, Updates(update), StepProgress(step=step)
        )
        ema.update()
        names = {"g": "Gmain/G/loss", "path": "Greg/pl_penalty", "d": "Dmain/D/loss", "r1": "Dreg/D/reg"}
        for name, key in names.items():
            assert (name in losses) == (key in expected)
            if name in losses:
                assert losses[name].item() == pytest.approx(expected[key], rel=1e-9), key
        assert norms == pytest.approx(list(facts["grad_norms"][step].values()), rel=1e-7)
        if step == 0:
            check_state(trainer, tensors, "after_step0")

    check_state(trainer, tensors, "after")
    assert_near(trainer.path_mean, tensors["after/pl_mean"])
    averages = own_weights("G", select(tensors, "after/"), "G_ema/")
    for key, weight in ema.copies["sample"].named_parameters():
        assert_near(weight, averages[key], 1e-7)


def check_state(trainer: StyleGAN2, tensors: dict[str, Tensor], prefix: str) -> None:
    for name, network in (("G", trainer.g), ("D", trainer.d)):
        state = network.state_dict()
        for key, expected in own_weights(name, tensors, prefix).items():
            assert_near(state[key], expected, 1e-7)
