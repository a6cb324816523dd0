"""The projection head and PatchNCE give the values and gradients of CUT's and DCLGAN's authors."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests.parity.reference_keys import head_weights
from translate.losses import patch_nce
from translate.networks import PatchProjection

PATCHES, WIDTH = 64, 32
# Of values and gradients. The gradients of the mean loss are 64 to 128 times smaller than those of one loss.
TOLERANCE = {torch.float64: (1e-13, 1e-15), torch.float32: (1e-6, 1e-7)}
# Training has rows of length 1; in float32, the raw ones lose digits.
ROWS = [("unit", torch.float32), ("unit", torch.float64), ("raw", torch.float64)]


def test_the_projection_head_and_its_gradients(real_data: Path) -> None:
    golden = load_file(real_data / "reference" / "nce_cut.safetensors")
    features = [golden[f"feat/{i}"].requires_grad_() for i in range(5)]
    positions = [golden[f"patch_ids/{i}"] for i in range(5)]
    head = PatchProjection([layer.shape[1] for layer in features], WIDTH).double()
    head.load_state_dict(head_weights(golden, "state_dict/"))
    outputs = [output.flatten(0, 1) for output in head(features, positions)]
    torch.autograd.backward(outputs, [golden[f"cotangent/{i}"] for i in range(5)])
    for i in range(5):
        assert (outputs[i] - golden[f"out_mlp/{i}"]).abs().max() <= 1e-13
        assert (features[i].grad - golden[f"grad_feat/{i}"]).abs().max() <= 1e-13
    expected = head_weights(golden, "grad_state/")
    for name, weight in head.named_parameters():
        assert (weight.grad - expected[name]).abs().max() <= 1e-13, name


def images(golden: dict[str, Tensor], key: str, batch_size: int, dtype: torch.dtype) -> Tensor:
    """Return the rows of a golden tensor by image, (N, P, C)."""
    return golden[key][: PATCHES * batch_size].view(batch_size, PATCHES, -1).to(dtype)


def check_loss(
    golden: dict[str, Tensor], rows: str, name: str, batch_size: int, dtype: torch.dtype, **options: bool
) -> None:
    query = images(golden, f"nce/{rows}/q", batch_size, dtype).requires_grad_()
    key = images(golden, f"nce/{rows}/k", batch_size, dtype).requires_grad_()
    loss = patch_nce(query, key, **options)
    loss.mean().backward()
    value, gradient = TOLERANCE[dtype]
    assert loss.shape == (batch_size, PATCHES)
    torch.testing.assert_close(
        loss.flatten().double(), golden[f"nce/{rows}/{name}/loss"], rtol=value, atol=value
    )
    error = query.grad.flatten(0, 1).double() - golden[f"nce/{rows}/{name}/grad_q"]
    assert error.abs().max() <= gradient
    assert key.grad is None


@pytest.mark.parametrize(("rows", "dtype"), ROWS)
@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("all_negatives", [False, True])
def test_patch_nce_of_cut(
    real_data: Path, rows: str, batch_size: int, all_negatives: bool, dtype: torch.dtype
) -> None:
    golden = load_file(real_data / "reference" / "nce_cut.safetensors")
    name = f"batch{batch_size}_all{all_negatives}"
    check_loss(golden, rows, name, batch_size, dtype, all_negatives=all_negatives)


@pytest.mark.parametrize(("rows", "dtype"), ROWS)
@pytest.mark.parametrize("batch_size", [1, 2])
def test_patch_nce_of_dclgan(real_data: Path, rows: str, batch_size: int, dtype: torch.dtype) -> None:
    golden = load_file(real_data / "reference" / "nce_dclgan.safetensors")
    check_loss(golden, rows, f"batch{batch_size}", batch_size, dtype, all_negatives=True, cosine=True)
