"""Images are resized as the reference resizes them: by Pillow's cubic filter."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from translate.images import resize

Y, X = np.mgrid[:60, :80]
WAVES = [np.sin(X / 3) * np.cos(Y / 4), np.cos((X + Y) / 5), np.sin(X * Y / 300)]
PIXELS = np.rint(127.5 + 100 * np.dstack(WAVES)).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), [(30, 30), (59, 81), (7, 200), (120, 160), (1, 1)])
def test_it_is_pillows_filter_to_a_level(height: int, width: int) -> None:
    pillow = np.asarray(Image.fromarray(PIXELS).resize((width, height), Image.Resampling.BICUBIC))
    done = resize(PIXELS, height, width)
    assert done.shape == (height, width, 3)
    assert np.abs(done.astype(int) - pillow).max() <= 1


def test_images_of_a_stack_are_resized_one_by_one() -> None:
    stack = np.stack([PIXELS, PIXELS[::-1].copy()])
    one, other = resize(stack, 20, 50)
    assert np.array_equal(one, resize(stack[0], 20, 50))
    assert np.array_equal(other, resize(stack[1], 20, 50))


def test_an_image_of_that_size_is_left_as_it_is() -> None:
    assert resize(PIXELS, 60, 80) is PIXELS
