"""Images are resized with Pillow's bicubic filter, as in the reference implementations."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from translate.images import resize

Y, X = np.mgrid[:60, :80]
WAVES = [np.sin(X / 3) * np.cos(Y / 4), np.cos((X + Y) / 5), np.sin(X * Y / 300)]
PIXELS = np.rint(127.5 + 100 * np.dstack(WAVES)).astype(np.uint8)


@pytest.mark.parametrize(("height", "width"), [(30, 30), (59, 81), (7, 200), (120, 160), (1, 1)])
def test_resize_agrees_with_pillows_bicubic_filter(height: int, width: int) -> None:
    pillow = np.asarray(Image.fromarray(PIXELS).resize((width, height), Image.Resampling.BICUBIC))
    actual = resize(PIXELS, height, width)
    assert actual.shape == (height, width, 3)
    assert np.abs(actual.astype(int) - pillow).max() <= 1


def test_images_of_a_batch_are_resized_independently() -> None:
    batch = np.stack([PIXELS, PIXELS[::-1].copy()])
    first, second = resize(batch, 20, 50)
    assert np.array_equal(first, resize(batch[0], 20, 50))
    assert np.array_equal(second, resize(batch[1], 20, 50))


def test_an_image_of_the_target_size_is_returned_itself() -> None:
    assert resize(PIXELS, 60, 80) is PIXELS
