"""The conversion of pixels to tensors and back, and contact sheets."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from translate.images import contact_sheet, to_pixels, to_tensor

LEVELS = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)


def test_all_256_levels_survive_a_round_trip() -> None:
    tensor = to_tensor(LEVELS)
    assert tensor.shape == (1, 3, 16, 16)
    assert tensor.dtype == torch.float32
    assert (tensor.min(), tensor.max()) == (-1, 1)
    assert np.array_equal(to_pixels(tensor[0]), LEVELS)


def test_a_uint8_batch_is_normalized_like_its_images() -> None:
    batch = torch.from_numpy(LEVELS.copy()).permute(2, 0, 1).repeat(2, 1, 1, 1)
    assert torch.equal(to_tensor(batch), to_tensor(LEVELS).repeat(2, 1, 1, 1))
    assert batch.dtype == torch.uint8


def test_pixels_are_not_changed_by_their_tensor() -> None:
    pixels = LEVELS.copy()
    to_tensor(pixels).zero_()
    assert np.array_equal(pixels, LEVELS)


def test_an_array_with_negative_strides_is_converted() -> None:
    assert np.array_equal(to_pixels(to_tensor(LEVELS[:, ::-1])[0]), LEVELS[:, ::-1])


def test_values_outside_the_range_are_clipped() -> None:
    values = torch.tensor([-9.0, -1.001, 1.001, 9.0]).view(1, 1, 4).repeat(3, 1, 1)
    assert to_pixels(values)[0, :, 0].tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_a_tensor_of_any_precision_is_converted(dtype: torch.dtype) -> None:
    assert to_pixels(torch.full((3, 2, 2), 0.0, dtype=dtype)).tolist() == [[[128] * 3] * 2] * 2


def test_a_sheet_has_a_column_per_title_and_a_row_per_image() -> None:
    red = np.zeros((10, 20, 3), np.uint8)
    red[..., 0] = 255
    one_row = contact_sheet({"input": [red], "translated": [red]}, side=40)
    two_rows = contact_sheet({"input": [red, red], "translated": [red, red]}, side=40)
    assert one_row.dtype == np.uint8
    assert one_row.shape[2] == 3
    assert one_row.shape[1] == two_rows.shape[1] == 2 * 40 + 3 * 4
    assert two_rows.shape[0] - one_row.shape[0] == 40 + 4
    is_red = (two_rows == [255, 0, 0]).all(axis=2)
    assert is_red.sum() == 4 * 40 * 20


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (500, 3), (64, 64)])
def test_a_sheet_fits_images_of_any_shape(shape: tuple[int, int]) -> None:
    sheet = contact_sheet({"a": [np.zeros((*shape, 3), np.uint8)]}, side=32)
    assert sheet.shape == contact_sheet({"a": [np.zeros((32, 32, 3), np.uint8)]}, side=32).shape


def test_an_empty_sheet_is_an_image() -> None:
    assert contact_sheet({}).ndim == 3
