"""Photos: a flat folder, or one with train/ and val/ in it."""

from __future__ import annotations

from pathlib import Path

import torch

from tests.pictures import noise
from translate.config import Pix2PixConfig
from translate.data.layouts import find_photos
from translate.data.sets import Draw, PhotoSet


def test_a_flat_folder_holds_some_out(tmp_path: Path) -> None:
    for n in range(40):
        (tmp_path / f"{n}.jpg").touch()
    photos = find_photos(str(tmp_path))
    assert (len(photos.train), len(photos.held_out)) == (38, 2)
    assert photos.summary == "38 photos to train on, 2 held out"


def test_a_val_folder_is_held_out_and_not_trained_on(tmp_path: Path) -> None:
    for name in ("a.jpg", "b.jpg", "val/c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    photos = find_photos(str(tmp_path))
    assert [path.name for path in photos.train] == ["a.jpg", "b.jpg"]
    assert photos.held_out == [tmp_path / "val" / "c.jpg"]


def test_a_photo_is_drawn_by_epoch_and_item(tmp_path: Path) -> None:
    c = Pix2PixConfig(image_size=32, preprocess="crop")
    photos = PhotoSet([noise(tmp_path / "a.png", 64, 64)], c, training=True)
    first, again, later = (photos[Draw(epoch, 0)]["photo"] for epoch in (0, 0, 1))
    assert first.shape == (3, 32, 32)
    assert first.dtype == torch.uint8
    assert first.equal(again)
    assert not first.equal(later)
