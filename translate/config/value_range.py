"""The range of the values that image files store: which value is black and which is white."""

from __future__ import annotations

import math
from dataclasses import dataclass

from translate.errors import UsageError

AUTO, BY_TYPE = "auto", "type"  # Of --range: measure the set; or black and white follow from the files' type.
RULE = "give LOW,HIGH, or LOW,HIGH:LOW,HIGH for A and B where they differ"


@dataclass(frozen=True)
class ValueRange:
    """The stored values of black and white, for files whose type does not fix them.

    These are integers of 16 bits, of which a file may use fewer, and floats. Files of 8 bits are in the range
    as well if it lies within 0..255; otherwise their white is 255.
    """

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g},{self.high:g}"

    @property
    def fits_8_bits(self) -> bool:
        """Return whether the range applies to files of 8 bits."""
        return self.low >= 0 and self.high <= 255


def parse_ranges(text: str) -> tuple[ValueRange | None, ValueRange | None]:
    """Return the ranges of the domains A and B, or of input and output; None: as the files' type says.

    Args:
        text: `LOW,HIGH` for both, or `LOW,HIGH:LOW,HIGH`; `type` in place of a range.

    Raises:
        UsageError: the text is something else, or a range is empty.
    """
    first, _, second = text.partition(":")
    return _parse(first, text), _parse(second or first, text)


def format_ranges(a: ValueRange | None, b: ValueRange | None) -> str:
    """Return the text for `parse_ranges`."""
    texts = [str(value_range or BY_TYPE) for value_range in (a, b)]
    return texts[0] if a == b else ":".join(texts)


def _parse(part: str, text: str) -> ValueRange | None:
    if part == BY_TYPE:
        return None
    try:
        low, high = (float(number) for number in part.split(","))
    except ValueError:
        raise UsageError(f"range {text!r} is not two numbers: {RULE}") from None
    if not -math.inf < low < high < math.inf:
        raise UsageError(f"range {text!r}: low must be less than high: {RULE}")
    return ValueRange(low, high)
