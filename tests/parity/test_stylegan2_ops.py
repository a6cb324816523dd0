"""StyleGAN2's operations, one by one, give the numbers of the StyleGAN2-ADA authors' code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor

from translate.networks.blocks import PixelNorm
from translate.networks.equalized import EqualizedLinear, scaled_leaky_relu
from translate.networks.generators.noise.stylegan2 import modulated_conv2d
from translate.networks.minibatch_std import append_minibatch_std
from translate.networks.resampling import Resampler, upfirdn2d

Golden = tuple[dict[str, Tensor], dict[str, Any]]


@pytest.fixture
def golden(real_data: Path) -> Golden:
    with safe_open(real_data / "reference" / "stylegan2_ops.safetensors", "pt") as file:
        cases: dict[str, Any] = json.loads(file.metadata()["cases"])
        return {key: file.get_tensor(key) for key in file.keys()}, cases  # noqa: SIM118


def assert_near(found: Tensor, expected: Tensor) -> None:
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= 1e-10 * expected.abs().max()


def pair(value: int | list[int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def padding(value: int | list[int]) -> tuple[int, int, int, int]:
    values = [value] if isinstance(value, int) else value
    return tuple(4 * values) if len(values) == 1 else tuple(values)  # type: ignore[return-value]


@pytest.mark.parametrize("number", range(8))
def test_upfirdn2d(golden: Golden, number: int) -> None:
    tensors, case = golden[0], golden[1]["upfirdn2d"][number]
    taps = tensors.get(f"input/upfirdn2d/{number}/f", torch.ones(1, 1))
    if taps.ndim == 1:
        taps = taps.double()[:, None] * taps
    found = upfirdn2d(
        tensors[f"input/upfirdn2d/{number}/x"],
        taps.flip((0, 1)) if case.get("flip_filter") else taps,
        up=pair(case["up"]),
        down=pair(case["down"]),
        padding=padding(case["padding"]),
        gain=case.get("gain", 1),
    )
    assert_near(found, tensors[f"output/upfirdn2d/{number}"])


@pytest.mark.parametrize(
    ("number", "options"),
    [
        (0, {"up": 2, "padding": (2, 1), "gain": 4}),
        (1, {"down": 2, "padding": (1, 1)}),
        (2, {"padding": (2, 1)}),
    ],
)
def test_resampling_by_2(golden: Golden, number: int, options: dict[str, Any]) -> None:
    found = Resampler()(golden[0][f"input/resample/{number}/x"], **options)
    assert_near(found, golden[0][f"output/resample/{number}"])


def test_a_convolution_that_downsamples(golden: Golden) -> None:
    tensors, blur = golden[0], Resampler()
    x, weight = (tensors[f"input/conv2d_resample/3/{name}"] for name in ("x", "weight"))
    assert_near(F.conv2d(blur(x, padding=(2, 2)), weight, stride=2), tensors["output/conv2d_resample/3"])
    x, weight = (tensors[f"input/conv2d_resample/4/{name}"] for name in ("x", "weight"))
    assert_near(F.conv2d(blur(x, down=2, padding=(1, 1)), weight), tensors["output/conv2d_resample/4"])


@pytest.mark.parametrize("number", range(5))
def test_modulated_convolutions_and_their_gradients(golden: Golden, number: int) -> None:
    tensors, case = golden[0], golden[1]["modulated_conv2d"][number]
    names = ("x", "weight", "styles")
    inputs = {name: tensors[f"input/modulated_conv2d/{number}/{name}"].requires_grad_() for name in names}
    blur = Resampler() if case["up"] == 2 else None
    found = modulated_conv2d(**inputs, demodulate=case["demodulate"], blur=blur)
    if case["noise"]:
        found = found + tensors[f"input/modulated_conv2d/{number}/noise"]
    assert_near(found, tensors[f"output/modulated_conv2d/{number}"])
    found.backward(torch.arange(found.numel(), dtype=found.dtype).sin().view_as(found))
    for name, tensor in inputs.items():
        assert tensor.grad is not None
        assert_near(tensor.grad, tensors[f"output/modulated_conv2d/{number}_grad_{name}"])


@pytest.mark.parametrize("number", range(6))
def test_the_minibatch_standard_deviation(golden: Golden, number: int) -> None:
    tensors, case = golden[0], golden[1]["minibatch_std"][number]
    found = append_minibatch_std(
        tensors[f"input/minibatch_std/{number}/x"],
        group_size=case["group_size"] or case["n"],
        channels=case["num_channels"],
    )
    assert_near(found, tensors[f"output/minibatch_std/{number}"])


def test_the_activation(golden: Golden) -> None:
    tensors = golden[0]
    x = tensors["input/bias_act/0/x"] + tensors["input/bias_act/0/b"][:, None, None]
    assert_near(scaled_leaky_relu(x), tensors["output/bias_act/0"])


@pytest.mark.parametrize("number", range(3))
def test_fully_connected_layers(golden: Golden, number: int) -> None:
    tensors, case = golden[0], golden[1]["fully_connected"][number]
    weight = tensors[f"input/fully_connected/{number}/weight"]
    layer = EqualizedLinear(weight.shape[1], len(weight), lr_mul=case["lr_multiplier"]).double()
    layer.load_state_dict({"weight": weight, "bias": tensors[f"input/fully_connected/{number}/bias"]})
    found = layer(tensors[f"input/fully_connected/{number}/x"])
    found = scaled_leaky_relu(found) if case["activation"] == "lrelu" else found
    assert_near(found, tensors[f"output/fully_connected/{number}"])


def test_pixel_norm(golden: Golden) -> None:
    tensors = golden[0]
    assert_near(PixelNorm()(tensors["input/normalize_2nd_moment/x"]), tensors["output/normalize_2nd_moment"])
