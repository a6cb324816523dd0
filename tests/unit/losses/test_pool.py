"""Tests of the image pool, the replay buffer of generated images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from translate.losses import ImagePool


def numbered(*numbers: int) -> Tensor:
    """Return images of one pixel, each with its number as value."""
    return torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1, 1)


def exchange(pool: ImagePool, count: int, first: int = 0, seed: int = 0) -> list[int]:
    """Give the pool images numbered from `first`, one by one; return the numbers of those it returns."""
    draws = torch.rand(count, 2, generator=torch.Generator().manual_seed(seed))
    return [int(pool(numbered(first + number), draws[[number]])) for number in range(count)]


def test_a_pool_fills_first_and_returns_the_new_images_meanwhile() -> None:
    pool = ImagePool(10)
    assert exchange(pool, 10) == list(range(10))
    assert [int(image) for image in pool.images] == list(range(10))


def test_a_full_pool_returns_a_stored_image_half_of_the_time() -> None:
    pool = ImagePool(10)
    exchange(pool, 10)
    numbers = exchange(pool, 2000, first=10)
    old = [number for new, number in enumerate(numbers, start=10) if number != new]
    assert len(old) == pytest.approx(1000, abs=80)
    assert all(number <= new for new, number in enumerate(numbers, start=10))


def test_the_new_image_replaces_the_stored_one_that_is_returned() -> None:
    pool = ImagePool(5)
    exchange(pool, 5)
    numbers = exchange(pool, 500, first=5)
    old = [number for new, number in enumerate(numbers, start=5) if number != new]
    assert len(old) == len(set(old))
    assert len(pool.images) == 5
    assert {int(image) for image in pool.images} <= set(range(505)) - set(old)


def test_a_batch_keeps_its_shape() -> None:
    pool = ImagePool(2)
    for _ in range(5):
        assert pool(torch.zeros(3, 3, 4, 4), torch.rand(3, 2)).shape == (3, 3, 4, 4)


@pytest.mark.parametrize("size", [0, 2])
def test_no_gradient_passes_through_a_pool(size: int) -> None:
    pool = ImagePool(size)
    for _ in range(6):
        images = torch.zeros(1, 1, 1, 1, requires_grad=True) * 2
        assert not pool(images, torch.rand(1, 2)).requires_grad


def test_a_pool_of_size_0_returns_every_image_as_it_is() -> None:
    pool = ImagePool(0)
    assert exchange(pool, 50) == list(range(50))
    assert not len(pool.images)


def test_stored_images_are_copies() -> None:
    pool = ImagePool(1)
    image = numbered(1)
    pool(image, torch.rand(1, 2))
    image.fill_(9)
    assert int(pool.images[0]) == 1


def test_a_pool_restored_from_a_checkpoint_continues_the_same_sequence() -> None:
    pool, restored = ImagePool(5), ImagePool(5)
    exchange(pool, 60)
    restored.load_state_dict(pool.state_dict())
    assert exchange(restored, 60, first=60) == exchange(pool, 60, first=60)


def test_a_pool_restored_half_full_fills_up_first() -> None:
    pool, restored = ImagePool(5), ImagePool(5)
    exchange(pool, 3)
    restored.load_state_dict(pool.state_dict())
    assert exchange(restored, 2, first=3) == [3, 4]
    assert len(restored.images) == 5


def test_the_draws_determine_which_images_are_returned() -> None:
    first, again, other = (exchange(ImagePool(5), 50, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_images_of_another_size_are_returned_as_they_are() -> None:
    pool = ImagePool(2)
    for _ in range(5):
        pool(torch.zeros(1, 3, 4, 4), torch.rand(1, 2))
    other = torch.ones(1, 3, 4, 8)
    assert pool(other, torch.tensor([[0.9, 0.0]])).equal(other)
    assert pool.images.shape == (2, 3, 4, 4)


def test_a_checkpoint_may_hold_fewer_images_than_the_pool_has_room_for() -> None:
    pool = ImagePool(4)
    pool.load_state_dict({"images": numbered(7, 8), "count": torch.tensor(2)})
    assert exchange(pool, 2, first=9) == [9, 10]
    assert sorted(int(image) for image in pool.images) == [7, 8, 9, 10]


def test_a_pool_that_is_set_back_keeps_its_memory() -> None:
    pool = ImagePool(5)
    empty = {name: value.clone() for name, value in pool.state_dict().items()}
    exchange(pool, 60)
    memory = pool.images
    pool.load_state_dict(empty)
    assert pool.images is memory
    assert exchange(pool, 5) == list(range(5))
    pool.load_state_dict({name: value.clone() for name, value in pool.state_dict().items()})
    assert pool.images is memory
