"""The random generators of many samples at once, as arrays.

A sample has a generator of its own, `np.random.default_rng([seed, epoch, index])`, which takes 10 us to make.
A small GAN takes a step of 64 images in 2 ms on a GPU, so the generators of all its samples are computed at
once.

NumPy promises that the streams of `SeedSequence` and `PCG64` stay as they are (NEP 19). How its `Generator`
makes numbers from them may change, so `DeviceDataset` compares its samples with those of the dataset.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np
from numpy.typing import NDArray

UInt64Array = NDArray[np.uint64]
UInt32Array = NDArray[np.uint32]
IntArray = NDArray[np.int64]

# The constants of NumPy's SeedSequence.
INIT_A, MULT_A = 0x43B0D7E5, 0x931E8875
INIT_B, MULT_B = 0x8B51F9DD, 0x58F38DED
MIX_LEFT, MIX_RIGHT = np.uint32(0xCA01F9DD), np.uint32(0x4973F715)
SHIFT = np.uint32(16)

# The multiplier of PCG64, as its high and its low half.
MULTIPLIER = np.uint64(0x2360ED051FC65DA4), np.uint64(0x4385DF649FCCF645)
MASK_32 = np.uint64(0xFFFFFFFF)
U32 = np.uint64(32)


class BatchedGenerator:
    """A generator that draws, in one call, the number that each sample's own generator would draw.

    Args:
        seed: the seed of the run.
        epochs: the epoch of each sample, (N,).
        indices: the index of each sample, (N,).
    """

    def __init__(self, seed: int, epochs: IntArray, indices: IntArray) -> None:
        self.state, self.increment = _seed_pcg64(_generate_state(_mix_entropy(seed, epochs, indices)))
        self.outputs: list[UInt64Array] = []  # The streams so far, 64 bits of each sample at a time.
        count = len(indices)
        self.used = np.zeros(count, np.int64)  # The number of outputs that a sample has used.
        self.upper = np.zeros(count, np.uint64)  # The upper half of an output whose lower half was used.
        self.has_upper = np.zeros(count, bool)

    def random(self) -> NDArray[np.float64]:
        """Draw a number in [0, 1) for each sample, (N,)."""
        everyone = np.ones(len(self.used), bool)
        return (self._next_64_bits(everyone) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def integers(self, high: int) -> IntArray:
        """Draw an integer from 0 to `high` - 1 for each sample, (N,); `high` is at most 2**32 - 1.

        As NumPy does, by the method of Lemire (arXiv:1805.10941).
        """
        if high == 1:  # NumPy draws nothing then.
            return np.zeros(len(self.used), np.int64)
        threshold = np.uint64((2**32 - high) % high)
        product = self._next_32_bits(np.ones(len(self.used), bool)) * np.uint64(high)
        while (rejected := (product & MASK_32) < threshold).any():
            product = np.where(rejected, self._next_32_bits(rejected) * np.uint64(high), product)
        return (product >> U32).astype(np.int64)

    def _next_32_bits(self, which: NDArray[np.bool_]) -> UInt64Array:
        """Return the next 32 bits of some samples, of one output first the lower and then the upper half."""
        fresh = which & ~self.has_upper
        output = self._next_64_bits(fresh) if fresh.any() else self.upper
        bits = np.where(fresh, output & MASK_32, self.upper)
        self.upper = np.where(fresh, output >> U32, self.upper)
        self.has_upper = np.where(which, fresh, self.has_upper)
        return bits

    def _next_64_bits(self, which: NDArray[np.bool_]) -> UInt64Array:
        """Return the next output of some samples; of the others, any."""
        while len(self.outputs) <= self.used.max():
            self.state = _add(_multiply(self.state, MULTIPLIER), self.increment)
            self.outputs.append(_permute(self.state))
        output = np.asarray(np.stack(self.outputs)[self.used, np.arange(len(self.used))])
        self.used = self.used + which
        return output


def _mix_entropy(seed: int, epochs: IntArray, indices: IntArray) -> list[UInt32Array]:
    """Return the pools of `SeedSequence([seed, epoch, index])`, four arrays (N,)."""
    zeros = np.zeros(len(indices), np.uint32)
    entropy = [zeros + np.uint32(seed), epochs.astype(np.uint32), indices.astype(np.uint32), zeros]
    constant = INIT_A

    def hashed(value: UInt32Array) -> UInt32Array:
        nonlocal constant
        value = value ^ np.uint32(constant)
        constant = constant * MULT_A & 0xFFFFFFFF
        value = value * np.uint32(constant)
        return value ^ (value >> SHIFT)

    pool = [hashed(value) for value in entropy]
    for source, target in permutations(range(4), 2):
        mixed = MIX_LEFT * pool[target] - MIX_RIGHT * hashed(pool[source])
        pool[target] = mixed ^ (mixed >> SHIFT)
    return pool


def _generate_state(pool: list[UInt32Array]) -> list[UInt64Array]:
    """Return four words of 64 bits, as `SeedSequence.generate_state(4, np.uint64)` of each pool."""
    constant, words = INIT_B, []
    for value in [*pool, *pool]:
        word = value ^ np.uint32(constant)
        constant = constant * MULT_B & 0xFFFFFFFF
        word = word * np.uint32(constant)
        words.append((word ^ (word >> SHIFT)).astype(np.uint64))
    return [words[i] | (words[i + 1] << U32) for i in range(0, 8, 2)]


UInt128 = tuple[UInt64Array, UInt64Array]  # The high and the low half of integers of 128 bits.


def _seed_pcg64(words: list[UInt64Array]) -> tuple[UInt128, UInt128]:
    """Return the states and the increments of PCG64 generators that were just seeded."""
    one, high_bit = np.uint64(1), np.uint64(63)
    increment = (words[2] << one) | (words[3] >> high_bit), (words[3] << one) | one
    state = _add(increment, (words[0], words[1]))
    return _add(_multiply(state, MULTIPLIER), increment), increment


def _permute(state: UInt128) -> UInt64Array:
    """Return the output of PCG64 for a state (XSL RR)."""
    value, rotation = state[0] ^ state[1], state[0] >> np.uint64(58)
    return np.asarray((value >> rotation) | (value << ((np.uint64(64) - rotation) & np.uint64(63))))


def _add(a: UInt128, b: UInt128) -> UInt128:
    low = a[1] + b[1]
    return a[0] + b[0] + (low < a[1]).astype(np.uint64), low


def _multiply(a: UInt128, b: tuple[np.uint64, np.uint64]) -> UInt128:
    """Multiply integers of 128 bits by a constant; the result is modulo 2**128."""
    high, low = a
    return _multiply_high(low, b[1]) + high * b[1] + low * b[0], low * b[1]


def _multiply_high(a: UInt64Array, b: np.uint64) -> UInt64Array:
    """Return the upper 64 bits of the products of integers of 64 bits."""
    a_high, a_low = a >> U32, a & MASK_32
    b_high, b_low = b >> U32, b & MASK_32
    middle = a_high * b_low + (a_low * b_low >> U32)
    other = a_low * b_high + (middle & MASK_32)
    return np.asarray(a_high * b_high + (middle >> U32) + (other >> U32))
