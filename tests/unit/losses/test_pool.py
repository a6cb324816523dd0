"""The pool of generated images."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from translate.losses import ImagePool


def numbered(*numbers: int) -> Tensor:
    """A batch of images told apart by their pixel."""
    return torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1, 1)


def shown(pool: ImagePool, count: int, first: int = 0, seed: int = 0) -> list[int]:
    """What the pool returns when it is given images with numbers that count up."""
    draws = torch.rand(count, 2, generator=torch.Generator().manual_seed(seed))
    return [int(pool(numbered(first + number), draws[[number]])) for number in range(count)]


def test_a_pool_fills_first_and_shows_new_images_meanwhile() -> None:
    pool = ImagePool(10)
    assert shown(pool, 10) == list(range(10))
    assert [int(image) for image in pool.images] == list(range(10))


def test_a_full_pool_shows_a_stored_image_half_of_the_time() -> None:
    pool = ImagePool(10)
    shown(pool, 10)
    answers = shown(pool, 2000, first=10)
    old = [answer for number, answer in enumerate(answers, start=10) if answer != number]
    assert len(old) == pytest.approx(1000, abs=80)
    assert all(answer <= number for number, answer in enumerate(answers, start=10))


def test_a_stored_image_that_was_shown_gives_its_place_to_the_new_one() -> None:
    pool = ImagePool(5)
    shown(pool, 5)
    answers = shown(pool, 500, first=5)
    old = [answer for number, answer in enumerate(answers, start=5) if answer != number]
    assert len(old) == len(set(old))
    assert len(pool.images) == 5
    assert {int(image) for image in pool.images} <= set(range(505)) - set(old)


def test_a_batch_keeps_its_shape() -> None:
    pool = ImagePool(2)
    for _ in range(5):
        assert pool(torch.zeros(3, 3, 4, 4), torch.rand(3, 2)).shape == (3, 3, 4, 4)


@pytest.mark.parametrize("size", [0, 2])
def test_no_gradient_goes_through_a_pool(size: int) -> None:
    pool = ImagePool(size)
    for _ in range(6):
        images = torch.zeros(1, 1, 1, 1, requires_grad=True) * 2
        assert not pool(images, torch.rand(1, 2)).requires_grad


def test_a_pool_of_size_0_hands_every_image_through() -> None:
    pool = ImagePool(0)
    assert shown(pool, 50) == list(range(50))
    assert not len(pool.images)


def test_stored_images_do_not_change_with_what_was_given() -> None:
    pool = ImagePool(1)
    given = numbered(1)
    pool(given, torch.rand(1, 2))
    given.fill_(9)
    assert int(pool.images[0]) == 1


def test_a_restored_pool_goes_on_with_the_same_sequence() -> None:
    pool, copy = ImagePool(5), ImagePool(5)
    shown(pool, 60)
    copy.load_state_dict(pool.state_dict())
    assert shown(copy, 60, first=60) == shown(pool, 60, first=60)


def test_a_pool_restored_half_full_fills_up_first() -> None:
    pool, copy = ImagePool(5), ImagePool(5)
    shown(pool, 3)
    copy.load_state_dict(pool.state_dict())
    assert shown(copy, 2, first=3) == [3, 4]
    assert len(copy.images) == 5


def test_the_draws_decide_what_is_shown() -> None:
    first, again, other = (shown(ImagePool(5), 50, seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other


def test_images_of_another_size_are_returned_as_they_are() -> None:
    pool = ImagePool(2)
    for _ in range(5):
        pool(torch.zeros(1, 3, 4, 4), torch.rand(1, 2))
    other = torch.ones(1, 3, 4, 8)
    assert pool(other, torch.tensor([[0.9, 0.0]])).equal(other)
    assert pool.images.shape == (2, 3, 4, 4)


def test_a_stored_pool_may_hold_fewer_images_than_there_is_room_for() -> None:
    pool = ImagePool(4)
    pool.load_state_dict({"images": numbered(7, 8), "count": torch.tensor(2)})
    assert shown(pool, 2, first=9) == [9, 10]
    assert sorted(int(image) for image in pool.images) == [7, 8, 9, 10]
