"""PatchNCE against its formula, and in mixed precision."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from translate.losses import patch_nce


def embeddings(seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(2, 5, 16, generator=random, dtype=torch.float64)
    return F.normalize(x, dim=2).to(dtype)


@pytest.mark.parametrize("all_negatives", [False, True])
def test_the_loss_is_the_cross_entropy_of_the_own_key(all_negatives: bool) -> None:
    query, key, temperature = embeddings(0), embeddings(1), 0.5
    losses = patch_nce(query, key, temperature=temperature, all_negatives=all_negatives)
    for image in range(2):
        for patch in range(5):
            keys = key.flatten(0, 1) if all_negatives else key[image]
            own = math.exp(float(query[image, patch] @ key[image, patch]) / temperature)
            total = sum(math.exp(float(query[image, patch] @ k) / temperature) for k in keys)
            total += math.exp(-10 / temperature)
            assert losses[image, patch].item() == pytest.approx(-math.log(own / total))


def test_the_cosine_does_not_depend_on_the_length_of_embeddings() -> None:
    query, key = embeddings(0), embeddings(1)
    longer = patch_nce(3 * query, 0.2 * key, cosine=True)
    torch.testing.assert_close(longer, patch_nce(query, key))


def test_a_query_of_zeros_has_a_finite_gradient() -> None:
    query = torch.zeros(1, 3, 4, requires_grad=True)
    patch_nce(query, embeddings(0, torch.float32)[:1, :3, :4], cosine=True).sum().backward()
    assert query.grad.isfinite().all()


@pytest.mark.parametrize("cosine", [False, True])
def test_mixed_precision_does_not_change_the_loss_or_its_gradient(cosine: bool) -> None:
    key = embeddings(1, torch.float32)

    def loss_and_gradient(autocast: bool) -> tuple[Tensor, Tensor]:
        query = embeddings(0, torch.float32).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = patch_nce(query, key, cosine=cosine)
        loss.sum().backward()
        return loss.detach(), query.grad

    assert all(map(torch.equal, loss_and_gradient(True), loss_and_gradient(False)))


def test_half_precision_embeddings_give_a_float32_loss() -> None:
    query, key = embeddings(0, torch.bfloat16), embeddings(1, torch.bfloat16)
    assert patch_nce(query, key).equal(patch_nce(query.float(), key.float()))
