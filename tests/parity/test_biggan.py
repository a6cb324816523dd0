"""BigGAN's networks, losses and gradients in float64 are those of its author's code."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from translate.losses import GAN_LOSSES, orthogonal_penalty
from translate.methods.biggan.config import BigGANConfig
from translate.methods.biggan.trainer import BigGAN
from translate.networks import BigGANDiscriminator, BigGANGenerator
from translate.networks.self_attention import SelfAttention
from translate.networks.spectral_norm import SpectralConv2d, step_power_iterations

Golden = dict[str, Tensor]
RENAMED = {  # Parts of the reference's names, and ours.
    r"blocks\.(\d)\.0": r"blocks.\1",
    r"blocks\.(\d)\.1": r"blocks.\1.attention",
    r"\.bn(\d)\.stored_(\w+)": r".norm\1.norm.running_\2",
    r"\.bn(\d)\.": r".norm\1.",
    r"\.conv_sc\.": ".shortcut.",
    r"\.theta\.": ".query.",
    r"\.phi\.": ".key.",
    r"\.g\.": ".value.",
    r"\.o\.": ".out.",
    r"^output_layer\.0\.stored_": "last.0.running_",
    r"^output_layer\.0\.gain": "last.0.weight",
    r"^output_layer": "last",
    r"u0$": "u",
}
OF_NETWORK = {
    "G": {r"^linear": "first", r"^shared": "embedding"},
    "D": {r"^linear": "head", r"^embed\.": "embedding."},
}


@pytest.fixture
def path(real_data: Path) -> Path:
    return real_data / "reference" / "biggan.safetensors"


@pytest.fixture
def golden(path: Path) -> Golden:
    return load_file(path)


@pytest.fixture
def metadata(path: Path) -> dict[str, Any]:
    with safe_open(path, "pt") as file:
        return {name: json.loads(file.metadata()[name]) for name in ("options", "train", "train_G")}


@pytest.fixture
def trainer(golden: Golden, metadata: dict[str, Any]) -> BigGAN:
    """Return a trainer of the networks of the golden file, with their weights, in training."""
    options = metadata["options"]
    c = BigGANConfig(
        image_size=32,
        channels=3,
        classes=options["n_classes"],
        latent=options["dim_z"],
        ngf=options["ch"],
        ndf=options["ch"],
        embedding=options["shared_dim"],
        hierarchical=options["hier"],
        d_steps=1,
        lambda_ortho=0,
    )
    trainer = BigGAN(c)
    trainer.g = BigGANGenerator(**{**trainer.g.spec.args, "attention": int(options["G_attn"])})
    trainer.d = BigGANDiscriminator(
        classes=c.classes, width=c.ndf, depth=c.depth, attention=int(options["D_attn"])
    )
    trainer.double()
    load(trainer.g, golden, "G")
    load(trainer.d, golden, "D")
    return trainer


def our_tensors(golden: Golden, prefix: str, network: str) -> Golden:
    """Return the tensors of a prefix by our names, in our shapes; `sv0`, sigma, is not stored here."""
    tensors = {}
    for key, value in golden.items():
        name = key.removeprefix(prefix)
        if name == key or name.endswith("sv0"):
            continue
        for pattern, replacement in (RENAMED | OF_NETWORK[network]).items():
            name = re.sub(pattern, replacement, name)
        if name.endswith(".u"):
            value = value.flatten()
        if network == "G" and name == "embedding.weight":
            value = value.T  # It is a linear layer here.
        tensors[name] = value
    return tensors


def load(network: nn.Module, golden: Golden, name: str) -> None:
    missing, unexpected = network.load_state_dict(
        our_tensors(golden, f"state_dict/{name}/", name), strict=False
    )
    assert unexpected == []
    assert [key for key in missing if not key.endswith((".v", ".num_batches_tracked"))] == []


def inputs(golden: Golden, classes: int) -> Tensor:
    """Return the noise and the one-hot classes of the golden file, (4, latent + classes)."""
    return torch.cat([golden["input/z"], torch.eye(classes).double()[golden["input/y"]]], dim=1)


def check(ours: Tensor, expected: Tensor, rtol: float = 1e-9, name: str = "") -> None:
    assert ours.shape == expected.shape, name
    assert (ours - expected).abs().max() <= rtol * expected.abs().max() + 1e-12, name


def check_gradients(network: nn.Module, golden: Golden, prefix: str, name: str) -> None:
    expected = our_tensors(golden, prefix, name)
    gradients = {key: weight.grad for key, weight in network.named_parameters()}
    assert gradients.keys() == expected.keys()
    for key, gradient in gradients.items():
        assert gradient is not None, key
        check(gradient, expected[key], 1e-7, key)


def check_buffers(network: nn.Module, golden: Golden, name: str) -> None:
    buffers = dict(network.named_buffers())
    expected = our_tensors(golden, f"output/train/buffers/{name}/", name)
    assert expected
    for key, value in expected.items():
        check(buffers[key], value, name=key)


def pixel_means(blocks: nn.Module) -> list[Tensor]:
    """Return a list to which each block adds the means of its output over the pixels, (N, C)."""
    means: list[Tensor] = []
    for block in blocks.children():
        block.register_forward_hook(lambda module, args, output: means.append(output.mean(dim=(2, 3))))
    return means


def test_the_generator_in_inference(trainer: BigGAN, golden: Golden) -> None:
    g = trainer.g.eval()
    first: list[Tensor] = []
    g.first.register_forward_hook(lambda module, args, output: first.append(output))
    means = pixel_means(g.blocks)
    with torch.no_grad():
        image = g(inputs(golden, g.classes))
        shared = g.embedding(torch.eye(g.classes).double()[golden["input/y"]])
    check(shared, golden["output/shared"])
    check(first[0], golden["output/G_eval_linear"].flatten(1))
    for level, mean in enumerate(means):
        check(mean, golden[f"output/G_eval_block{level}_mean"])
    check(image, golden["output/G_eval"])
    check(trainer.d.eval()(image, golden["input/y"]).detach(), golden["output/D_eval_on_G"])


def test_the_discriminator_in_inference(trainer: BigGAN, golden: Golden) -> None:
    d = trainer.d.eval()
    means = pixel_means(d.blocks)
    with torch.no_grad():
        scores = d(golden["input/images"], golden["input/y_images"])
    for level, mean in enumerate(means):
        check(mean, golden[f"output/D_eval_block{level}_mean"])
    check(scores, golden["output/D_eval"])


def test_the_discriminators_loss_its_gradients_and_all_buffers(
    trainer: BigGAN, golden: Golden, metadata: dict[str, Any]
) -> None:
    fake = trainer.g(inputs(golden, trainer.classes)).detach()
    check(fake, golden["output/G_train"])
    classes = torch.cat([golden["input/y"], golden["input/y_images"]])
    fake_scores, real_scores = trainer.d(torch.cat([fake, golden["input/images"]]), classes).chunk(2)
    check(fake_scores.detach(), golden["output/train/D_fake"])
    check(real_scores.detach(), golden["output/train/D_real"])
    loss = trainer.gan.discriminator_loss(real=real_scores, fake=fake_scores)
    expected = metadata["train"]
    assert loss.item() == pytest.approx(expected["D_loss_real"] + expected["D_loss_fake"], rel=1e-12)
    loss.backward()
    check_gradients(trainer.d, golden, "output/train/D_param_grad/", "D")
    for network, name in ((trainer.g, "G"), (trainer.d, "D")):
        check_buffers(network, golden, name)


def test_the_generators_loss_and_its_gradients(
    trainer: BigGAN, golden: Golden, metadata: dict[str, Any]
) -> None:
    scores = trainer.d(trainer.g(inputs(golden, trainer.classes)), golden["input/y"])
    check(scores.detach(), golden["output/train_G/D_fake"])
    loss = trainer.gan.generator_loss(scores)
    assert loss.item() == pytest.approx(metadata["train_G"]["G_loss"], rel=1e-12)
    loss.backward()
    check_gradients(trainer.g, golden, "output/train_G/G_param_grad/", "G")


def test_the_hinge_loss(golden: Golden) -> None:
    real, fake = (golden[f"input/logits_{kind}"].requires_grad_() for kind in ("real", "fake"))
    hinge = GAN_LOSSES["hinge"]
    check(hinge.real_loss(real).detach(), golden["output/hinge/D_real"])
    check(hinge.fake_loss(fake).detach(), golden["output/hinge/D_fake"])
    hinge.discriminator_loss(real=real, fake=fake).backward()
    check(real.grad, golden["output/hinge/grad_real"])
    check(fake.grad, golden["output/hinge/grad_fake"])
    fake.grad = None
    loss = hinge.generator_loss(fake)
    loss.backward()
    check(loss.detach(), golden["output/hinge/G"])
    check(fake.grad, golden["output/hinge/G_grad_fake"])


@pytest.fixture
def convolution(golden: Golden) -> SpectralConv2d:
    """Return a convolution without bias of the weight and the vector of the unit case."""
    weight = golden["input/sn/weight"]
    layer = SpectralConv2d(weight.shape[1], len(weight), 3, padding=1, bias=False).double()
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.u.copy_(golden["input/sn/u"].flatten())
    return layer


def test_three_steps_of_the_power_iteration(convolution: SpectralConv2d, golden: Golden) -> None:
    for number in range(3):
        step_power_iterations([convolution])
        check(convolution.u, golden[f"output/sn/iteration{number}_u"].flatten())
        check(convolution.v, golden[f"output/sn/iteration{number}_v"].flatten())
        sigma = convolution.weight / convolution.normalized_weight()
        check(sigma[0, 0, 0, 0].detach(), golden[f"output/sn/iteration{number}_sigma"])


@pytest.mark.parametrize("training", [True, False])
def test_a_convolution_with_spectral_norm(
    training: bool, convolution: SpectralConv2d, golden: Golden
) -> None:
    convolution.train(training)
    before = convolution.u.clone()
    step_power_iterations([convolution])
    output = convolution(golden["input/images"][:1, :, :8, :8])
    check(output.detach(), golden["output/sn/conv"])
    output.backward(torch.arange(output.numel()).double().sin().view_as(output))
    check(convolution.weight.grad, golden["output/sn/conv_weight_grad"])
    assert convolution.u.equal(before) == (not training)


def test_self_attention(golden: Golden) -> None:
    x = golden["input/attention/x"]
    layer = SelfAttention(x.shape[1]).double()
    names = {"query": "theta", "key": "phi", "value": "g", "out": "o"}
    for ours, theirs in names.items():
        weight = golden[f"input/attention/{theirs}.weight"]
        plain = nn.Conv2d(weight.shape[1], len(weight), 1, bias=False)
        plain.weight = nn.Parameter(weight)
        setattr(layer, ours, plain)
    layer.gamma = nn.Parameter(golden["input/attention/gamma"])
    check(layer(x).detach(), golden["output/attention"])


def test_the_gradient_of_orthogonal_regularization(golden: Golden) -> None:
    weight = golden["input/ortho/weight"].requires_grad_()
    (1e-4 * orthogonal_penalty([weight])).backward()
    check(weight.grad, golden["output/ortho/ortho_grad"])
