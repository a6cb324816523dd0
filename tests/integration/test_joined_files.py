"""A model that was trained on joined A|B files names such files, and `--half` translates a half of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

import translate
from tests.images import noise
from tests.integration.conftest import Command
from tests.integration.test_apply import IDENTITY, TORCH
from tests.integration.test_layouts import PIX2PIX, write


def test_apply_names_joined_files_and_translates_the_half_that_is_asked_for(
    within: Command, tmp_path: Path
) -> None:
    write(tmp_path / "data", "train", "test", width=64)
    noise(tmp_path / "data" / "test" / "single.png", 32, 32)
    within(*PIX2PIX, "--data=data", "--out=joined", "--direction=BtoA")
    assert translate.load("joined", device="cpu", engine="torch").config.trained_on["joined"] is True
    assert "layout: training: data/train" in Path("joined/log.txt").read_text()
    log = within("apply", "joined", "data/test", "-o", "whole", *TORCH).stderr
    assert "3 of 4 images are about twice as wide as high" in log
    assert "--half right" in log

    # A model that changes nothing was not trained on joined files, and panoramas are translated whole.
    assert "--half" not in within("apply", IDENTITY, "data/test", "-o", "panoramas", *TORCH).stderr
    for half, columns in (("left", slice(32)), ("right", slice(32, 64))):
        within("apply", IDENTITY, "data/test/0.png", "-o", half, "--half", half, *TORCH)
        original, output = (np.asarray(Image.open(path)) for path in ("data/test/0.png", f"{half}/0.png"))
        assert np.array_equal(output, original[:, columns])
    again = within("apply", IDENTITY, "data/test/0.png", "-o", "right", "--half", "left", *TORCH)
    assert "1 image written" in again.stdout  # Another half is another output.
