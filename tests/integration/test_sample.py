"""Images from noise by the command line: trained, sampled, walked through, exported."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.images import demo
from tests.integration import warm
from tests.integration.conftest import TINY, Command, environment
from translate.images import read_rgb


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of infogan on the demo, a step long."""
    folder = tmp_path_factory.mktemp("infogan")
    demo(folder / "data")
    arguments = ["train", "infogan", "--data", "data", "--steps", "1", "--out", "run", *TINY]
    told = warm.run(arguments, folder, environment())
    assert "next: translate sample run -o out/" in told.stdout
    assert "diversity" in told.stderr
    return folder / "run"


def test_the_same_seed_gives_the_same_images(within: Command, run: Path, tmp_path: Path) -> None:
    within("sample", run, "-o", "few", "-n", "2", "--seed", "7")
    within("sample", run, "-o", "more", "-n", "5", "--seed", "7")
    within("sample", run, "-o", "other", "-n", "1", "--seed", "8")
    few, more, other = (sorted((tmp_path / name).iterdir()) for name in ("few", "more", "other"))
    assert [len(files) for files in (few, more, other)] == [2, 5, 1]
    assert all(np.array_equal(read_rgb(a), read_rgb(b)) for a, b in zip(few, more, strict=False))
    assert not np.array_equal(read_rgb(few[0]), read_rgb(other[0]))


def test_grids_walks_codes_and_the_weights_as_they_are(within: Command, run: Path, tmp_path: Path) -> None:
    within("sample", run, "-o", "grid.png", "-n", "20")
    within("sample", run, "-o", "raw.png", "-n", "20", "--no-ema", "--truncation", "1.5")
    assert read_rgb(tmp_path / "grid.png").shape == read_rgb(tmp_path / "raw.png").shape
    within("sample", run, "-o", "walk.gif", "--interpolate", "3")
    with Image.open(tmp_path / "walk.gif") as walk:
        assert walk.n_frames > 30
    within("sample", run, "-o", "codes", "--traverse")
    names = sorted(path.name for path in (tmp_path / "codes").iterdir())
    assert names == ["category.png", "code-1.png", "code-2.png"]
    assert "greatest difference" in within("export", run, "-o", "model.onnx").stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sample", "RUN", "-o", "x.tiff"], "give -o a suffix of .png, .jpg, .jpeg, .webp"),
        (["sample", "RUN", "-o", "x.gif"], ".webp, or --interpolate N for a walk"),
        (["sample", "RUN", "-o", "x.webp", "-n", "400000"], "16383 are the most: give a folder by -o"),
        (["sample", "RUN", "-o", "x", "--truncation", "nan"], "truncation nan is less than 0.1"),
        (["sample", "RUN", "-o", "x.png", "--interpolate", "3"], "give -o a suffix of .gif, .webp, .mp4"),
        (["sample", "RUN", "-o", "x.png", "--class", "cat"], "this model was trained without classes"),
        (["sample", "RUN", "-o", "x", "--traverse", "--interpolate", "2"], "give one of them"),
        (
            ["sample", "RUN", "-o", "x", "--traverse", "--truncation", "1"],
            "leave --class and --truncation out",
        ),
        (["sample", "RUN", "-o", "w.gif", "--interpolate", "2", "-n", "9"], "leave -n 9 out"),
        (["sample", "RUN", "-o", "x", "--traverse", "-n", "9"], "--traverse says how many"),
        (["sample", "colorize", "-o", "x"], "use translate apply"),
        (["sample", "colorize", "-o", "x", "--no-ema"], "use translate apply"),
        (["sample", "RUN/model", "-o", "x", "--no-ema"], "is no run with a checkpoint"),
        (["train", "dcgan"], "no data: give --data DIR\n"),
        (["train", "cgan", "--data", "data", "--classes", "9"], "the data has 4: leave --classes out"),
        (["apply", "RUN", "data", "-o", "x"], "use translate sample"),
        (["train", "dcgan", "--data", "data", "--image-size", "48"], "use --image-size 32 or 64"),
        (["train", "cgan", "--data", "data/trainA", *TINY], "put its images into sub-folders by class"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: list[str], said: str, within: Command, run: Path, data: Path
) -> None:
    result = within(*[argument.replace("RUN", str(run)) for argument in arguments], code=2)
    assert said in result.stderr
    assert result.stderr.count("\n") <= 2
