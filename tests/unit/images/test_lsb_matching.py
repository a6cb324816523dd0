"""LSB matching: every message comes back under its key only, and no value changes by more than 1."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from tests.unit.images.image_samples import noise
from translate.errors import DataError, UsageError
from translate.images.steganography import capacity, embed, extract

KEYS = [b"key", b"\0", bytes(range(256)), "Schlüssel".encode()]
# The same as an implementation of scrypt, Philox4x64-10 and the embedding in plain Python gives.
VECTOR = (
    "00254a6f93badf02284d7398bce2062a50759abfe4092d53789ec2e70c30557ba0c5e90e35597ea3c9ee12365c80a7cbf015395f"
    "84aacff3183c6187acd1f51b3f6689aed5f91e44688eb3d7fc21466b90b5daff24496f93b7de02274b7096bbe0052a4e7599bee4"
)


def random_case(rng: np.random.Generator) -> tuple[np.ndarray, bytes]:
    """Return random values, (H, W, 1 or 3), and a random message, between empty and capacity."""
    height, width, channels = rng.integers(8, 40), rng.integers(8, 90), rng.choice([1, 3])
    low, high = (0, 256) if rng.random() < 0.7 else (254, 256) if rng.random() < 0.5 else (0, 2)
    values = rng.integers(low, high, (height, width, channels), dtype=np.uint8)
    longest = capacity(values.size)
    return values, rng.bytes(rng.choice([0, longest, rng.integers(0, longest + 1)]))


def test_every_message_comes_back_and_no_value_changes_by_more_than_1() -> None:
    rng = np.random.default_rng(0)
    for number in range(60):
        values, message = random_case(rng)
        before, key = values.copy(), KEYS[number % len(KEYS)]
        stego = embed(values, message, key)
        assert extract(stego, key) == message
        assert stego.dtype == np.uint8
        assert stego.shape == values.shape
        assert np.abs(stego.astype(int) - values).max() <= 1
        assert np.array_equal(values, before)


def test_the_same_arguments_give_the_same_bytes_everywhere() -> None:
    values = (np.arange(104) * 37 % 256).astype(np.uint8)
    stego = embed(values, b"hi", b"key")
    assert stego.tobytes().hex() == VECTOR
    assert extract(np.frombuffer(bytes.fromhex(VECTOR), np.uint8), b"key") == b"hi"


def test_a_message_is_found_under_its_own_key_only() -> None:
    values = noise(20, 30)
    stego = embed(values, b"message", b"key")
    for other in (b"Key", b"key\n", b"key\0", b"\0key", b"k"):
        assert extract(stego, other) is None
    assert extract(values, b"key") is None
    assert extract(np.zeros_like(values), b"key") is None
    assert extract(stego[:, ::-1], b"key") is None


def test_one_changed_bit_of_the_message_is_noticed() -> None:
    values = noise(8, 8, 1)
    stego = embed(values, b"", b"key")  # Every value carries a bit.
    assert extract(stego, b"key") == b""
    for row, column in product(range(8), range(8)):
        damaged = stego.copy()
        damaged[row, column] ^= 1
        assert extract(damaged, b"key") is None


def test_values_of_0_and_255_stay_in_range() -> None:
    for extreme, neighbour in ((0, 1), (255, 254)):
        values = np.full((50, 50), extreme, np.uint8)
        stego = embed(values, b"x" * capacity(values.size), b"key")
        assert set(np.unique(stego)) == {extreme, neighbour}


def test_changes_go_up_and_down_alike_and_lie_everywhere() -> None:
    values = np.full((100, 100), 128, np.uint8)
    change = embed(values, bytes(300), b"key").astype(int) - 128  # A message of zeros, which is whitened.
    changed = np.count_nonzero(change)
    assert changed == pytest.approx(8 * 308 / 2, rel=0.1)
    assert np.count_nonzero(change == 1) == pytest.approx(changed / 2, rel=0.1)
    quarters = [change[rows, columns] for rows, columns in product((slice(50), slice(50, 100)), repeat=2)]
    assert [np.count_nonzero(quarter) for quarter in quarters] == [pytest.approx(changed / 4, rel=0.2)] * 4


def test_neither_the_header_nor_the_message_shows_in_the_carriers() -> None:
    values = np.full(64, 128, np.uint8)
    # Length 0 and CRC-32 0 would leave all values as they are, if they were not whitened.
    changed = {np.count_nonzero(embed(values, b"", bytes([key])) != values) for key in range(8)}
    assert min(changed) > 16


def test_a_longer_message_than_the_capacity_is_refused_with_the_capacity() -> None:
    values = noise(10, 10, 3)
    assert capacity(values.size) == 29
    assert extract(embed(values, b"x" * 29, b"key"), b"key") == b"x" * 29
    with pytest.raises(DataError, match=r"30 bytes.* 29 bytes"):
        embed(values, b"x" * 30, b"key")


def test_too_few_values_carry_no_message() -> None:
    for size in (0, 1, 63):
        values = np.zeros(size, np.uint8)
        with pytest.raises(DataError, match=f"{size} values .*64"):
            embed(values, b"", b"key")
        assert extract(values, b"key") is None


def test_an_empty_key_and_other_types_of_values_are_refused() -> None:
    values = noise()
    with pytest.raises(UsageError, match="key is empty"):
        embed(values, b"", b"")
    with pytest.raises(UsageError, match="key is empty"):
        extract(values, b"")
    for other in (np.uint16, np.float32):
        with pytest.raises(DataError, match=np.dtype(other).name):
            embed(values.astype(other), b"", b"key")
        with pytest.raises(DataError, match=np.dtype(other).name):
            extract(values.astype(other), b"key")
