"""Contextual attention gives the values and gradients of the code of its authors, Yu et al."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from translate.losses import spatial_discount
from translate.networks.contextual_attention import contextual_attention

CASES = range(5)
TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-5}  # Relative to the largest entry.


@pytest.fixture
def golden(real_data: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with safe_open(real_data / "reference" / "contextual_attention.safetensors", "pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no plain iteration
        return tensors, json.loads(file.metadata()["options"])


def assert_close(found: Tensor, expected: Tensor, tolerance: float) -> None:
    assert found.shape == expected.shape
    assert (found - expected).abs().max() <= tolerance * expected.abs().max()


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", CASES)
def test_the_layer_and_its_gradients(
    golden: tuple[dict[str, Tensor], dict[str, Any]], case: int, dtype: torch.dtype
) -> None:
    tensors, options = golden
    settings = options["cases"][case]
    inputs, outputs = f"input/{case}", f"output/{case}/nearest_floor"
    f = tensors[f"{inputs}/f"].to(dtype).requires_grad_()
    b = f if settings["same"] else tensors[f"{inputs}/b"].to(dtype).requires_grad_()
    mask = tensors.get(f"{inputs}/mask", torch.zeros(1, 1, *b.shape[2:])).to(dtype)
    y, weights = contextual_attention(
        f,
        b,
        mask.expand(len(b), -1, -1, -1),
        rate=settings["rate"],
        softmax_scale=settings["softmax_scale"],
        fuse=settings["fuse"],
    )
    y.backward(torch.arange(y.numel(), dtype=torch.float64).sin().view_as(y).to(dtype))
    assert_close(y, tensors[f"{outputs}/y"], TOLERANCE[dtype])
    assert_close(weights, tensors[f"{outputs}/weights"], TOLERANCE[dtype])
    assert_close(f.grad, tensors[f"{outputs}/grad_f"], TOLERANCE[dtype])
    if not settings["same"]:
        assert_close(b.grad, tensors[f"{outputs}/grad_b"], TOLERANCE[dtype])


def test_the_weights_of_the_spatially_discounted_loss(
    golden: tuple[dict[str, Tensor], dict[str, Any]],
) -> None:
    tensors, options = golden
    discount = spatial_discount(*options["discount_hw"], options["gamma"])
    assert_close(discount, tensors["output/discount_mask"][0, 0], TOLERANCE[torch.float64])
