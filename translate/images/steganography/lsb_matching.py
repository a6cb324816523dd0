"""LSB matching: hide a message in the least significant bits of 8-bit values, which change by at most 1.

The payload is the length of the message and its CRC-32, 4 bytes each, big endian, and the message. The key
decides which values carry it, in which order, the bits that whiten it, and whether a value goes up or down.
LSB matching is the ±1 embedding of T. Sharp, "An implementation of key-based digital signal steganography",
Information Hiding 2001. It is detectable.
"""

from __future__ import annotations

import functools
import hashlib
import struct
import zlib

import numpy as np
import numpy.typing as npt

from translate.errors import DataError, UsageError
from translate.images.frame import Pixels

HEADER = struct.Struct(">II")  # The length of the message in bytes, and its CRC-32.
SALT = b"translate LSB matching 1"
POSITIONS, WHITENING, SIGNS = range(3)  # The random streams of a key.
PHILOX_KEY_BYTES = 16


def capacity(values: int) -> int:
    """Return the longest message that so many values can carry, in bytes; negative if they can carry none."""
    return values // 8 - HEADER.size


def embed(values: Pixels, message: bytes, key: bytes) -> Pixels:
    """Return a copy of uint8 values of any shape that carries a message, in values that differ by at most 1.

    The same arguments give the same result on every platform and with every version of numpy.

    Raises:
        DataError: the message is longer than the capacity, or the values are not uint8.
        UsageError: the key is empty.
    """
    stego = _check_type(values).flatten()
    longest = capacity(stego.size)
    if longest < 0:
        raise DataError(
            f"{stego.size} values are too few to carry a message:"
            f" give an image of at least {8 * HEADER.size} values, one for each pixel and channel"
        )
    if len(message) > longest:
        raise DataError(
            f"the message has {len(message)} bytes, and the capacity is {longest} bytes:"
            " give a shorter message or a larger image"
        )
    payload = HEADER.pack(len(message), zlib.crc32(message)) + message
    bits = np.unpackbits(np.frombuffer(payload, np.uint8))
    bits ^= _random_bits(key, WHITENING, bits.size)
    carriers = _carriers(key, stego.size)[: bits.size]
    cover = stego[carriers]
    signs = 2 * _random_bits(key, SIGNS, bits.size).astype(np.int16) - 1
    signs[cover == 0] = 1
    signs[cover == 255] = -1
    stego[carriers] = np.where(cover & 1 == bits, cover, cover + signs).astype(np.uint8)
    return stego.reshape(values.shape)


def extract(values: Pixels, key: bytes) -> bytes | None:
    """Return the message that uint8 values carry under a key; None if they carry none.

    Values without a message pass the check of length and CRC-32 by chance, less than once in 2^32.

    Raises:
        DataError: the values are not uint8.
        UsageError: the key is empty.
    """
    stego = _check_type(values).reshape(-1)
    longest = capacity(stego.size)
    if longest < 0:
        return None
    carriers = _carriers(key, stego.size)

    def read_payload(size: int) -> bytes:
        bits = stego[carriers[: 8 * size]] & 1
        return np.packbits(bits ^ _random_bits(key, WHITENING, bits.size)).tobytes()

    length, checksum = HEADER.unpack(read_payload(HEADER.size))
    if length > longest:
        return None
    message = read_payload(HEADER.size + length)[HEADER.size :]
    return message if zlib.crc32(message) == checksum else None


def _check_type(values: Pixels) -> Pixels:
    if values.dtype != np.uint8:
        raise DataError(f"the values are {values.dtype}, and messages are hidden in uint8: convert them")
    return values


def _carriers(key: bytes, count: int) -> npt.NDArray[np.int64]:
    """Return the indices of all values in the order in which they carry bits: a permutation by the key.

    The indices are sorted by random numbers. The low bits of a random number are replaced by its index, so
    that no two are equal, and every way of sorting gives the same order.
    """
    low_bits = np.uint64(2 ** count.bit_length() - 1)
    order = _random_words(key, POSITIONS, count)
    order &= ~low_bits
    order |= np.arange(count, dtype=np.uint64)
    order.sort()
    order &= low_bits
    return order.view(np.int64)


def _random_bits(key: bytes, stream: int, count: int) -> Pixels:
    """Return the first random bits of a stream, (count,) of 0 and 1."""
    words = _random_words(key, stream, -(-count // 64))
    return np.unpackbits(words.astype("<u8").view(np.uint8))[:count]


def _random_words(key: bytes, stream: int, count: int) -> npt.NDArray[np.uint64]:
    """Return the first 64-bit words of a stream of the key: the raw output of Philox4x64-10.

    numpy keeps the raw output of a bit generator the same in every version, but not that of methods such as
    `permutation`.
    """
    start = stream * PHILOX_KEY_BYTES
    philox_key = np.frombuffer(_derive_keys(key)[start : start + PHILOX_KEY_BYTES], "<u8")
    return np.random.Philox(key=philox_key).random_raw(count)


@functools.lru_cache(maxsize=16)  # scrypt is slow on purpose, and many images may share a key.
def _derive_keys(key: bytes) -> bytes:
    """Derive the Philox keys of the three streams by scrypt (RFC 7914), which slows down guessing a key."""
    if not key:
        raise UsageError("the key is empty: give at least one byte")
    # scrypt alone would take a key and the same key followed by zero bytes for one.
    digest = hashlib.blake2b(key).digest()
    return hashlib.scrypt(digest, salt=SALT, n=2**14, r=8, p=1, dklen=3 * PHILOX_KEY_BYTES)
