"""Value ranges: one scale for a set, told, kept in the model, and used where images are read or written."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import PIL
import pytest
import tifffile
from PIL import Image

import translate
from tests.integration.conftest import Command, Result
from translate.images import read_rgb

FLAGS = [
    *("--image-size=32", "--ngf=2", "--ndf=2", "--workers=0", "--batch-size=2", "--device=cpu", "--levels=2"),
    *("--precision=fp32", "--compile=off", "--cache-size=0", "--d-layers=1", "--steps=1", "--out=run"),
]
BITS_12, BITS_16 = 4095, 65535


def ramp(low: float, high: float, dtype: type, channels: int = 1) -> np.ndarray:
    """Return an image, (32, 32) or (32, 32, C), whose values rise from low to high."""
    values = np.linspace(low, high, 32 * 32 * channels).reshape(32, 32, channels)
    return (
        (values if dtype == np.float32 else np.rint(values)).astype(dtype)[..., : channels or None].squeeze()
    )


def write_set(folder: Path, images: list[np.ndarray]) -> Path:
    """Write images as 0.tif, 1.tif, ..., or as PNG if they are 8 or 16 bits of gray."""
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        if image.dtype == np.float32:
            tifffile.imwrite(folder / f"{number}.tif", image)
        else:
            cv2.imwrite(str(folder / f"{number}.png"), image)
    return folder


def heights() -> list[np.ndarray]:
    return [ramp(0, high, np.float32) for high in (0.9, 200, 900)]


def bits(high: int) -> list[np.ndarray]:
    return [ramp(0, high - number, np.uint16) for number in range(3)]


def train(within: Command, *flags: str, code: int = 0) -> Result:
    return within("train", "pix2pix", "--data=data", *FLAGS, *flags, code=code)


def model_ranges(tmp_path: Path) -> dict[str, list[float]]:
    ranges = json.loads((tmp_path / "run" / "model" / "config.json").read_text())["data_range"]
    assert isinstance(ranges, dict)
    return ranges


@pytest.mark.parametrize(
    ("a", "b", "flags", "ranges"),
    [
        (heights(), heights(), (), {"A": [0, 900], "B": [0, 900]}),
        (bits(3900), heights(), (), {"A": [0, BITS_12], "B": [0, 900]}),
        (bits(900), bits(BITS_16), (), {"A": [0, 1023]}),
        ([ramp(0, 1, np.float32)] * 3, [ramp(0, 255, np.uint8)] * 3, (), {}),
        (heights(), heights(), ("--range=-100,1000",), {"A": [-100, 1000], "B": [-100, 1000]}),
    ],
)
def test_each_domain_has_one_range(
    a: list[np.ndarray],
    b: list[np.ndarray],
    flags: tuple[str, ...],
    ranges: dict[str, list[float]],
    within: Command,
    tmp_path: Path,
) -> None:
    write_set(tmp_path / "data" / "A", a)
    write_set(tmp_path / "data" / "B", b)
    train(within, *flags)
    assert model_ranges(tmp_path) == ranges
    log = (tmp_path / "run" / "log.txt").read_text()
    for low, high in () if flags else ranges.values():
        assert f"from {low} to {high}" in log


def test_a_model_reads_and_writes_the_values_of_its_domains(within: Command, tmp_path: Path) -> None:
    write_set(tmp_path / "data" / "A", bits(BITS_12))
    write_set(tmp_path / "data" / "B", heights())
    train(within)
    within("apply", "run", "data/A", "-o", "out", "--engine=torch", "--size=native")
    network = translate.load(tmp_path / "run", device="cpu", engine="torch", size="native", range="type")
    for number, image in enumerate(bits(BITS_12)):
        scaled = np.rint(image.astype(float) * BITS_16 / BITS_12).astype(np.uint16)
        expected = network(scaled[..., None])[..., 0] / BITS_16 * 900
        stored = cv2.imread(str(tmp_path / "out" / f"{number}.png"), cv2.IMREAD_UNCHANGED)
        assert np.abs(stored - expected).max() <= 1  # In the values of B.
    within("evaluate", "run", "--data", "data", "--metrics", "psnr")
    train(within, "--resume")


@pytest.mark.parametrize("kind", ["12 bits", "floats", "floats, JPEG"])
def test_a_network_that_changes_nothing_returns_the_file(kind: str, within: Command, tmp_path: Path) -> None:
    images = bits(BITS_12) if kind == "12 bits" else heights()
    source = write_set(tmp_path / "in", images)
    identity = Path(__file__).parents[1] / "models" / "identity"
    value_range = f"--range=0,{BITS_12 if kind == '12 bits' else 900}"
    form = ("--format=jpg",) if "JPEG" in kind else ()
    within("apply", identity, "in", "-o", "out", value_range, "--engine=torch", *form)
    for path in source.iterdir():
        out = tmp_path / "out" / path.name
        if "JPEG" in kind:
            with Image.open(out.with_suffix(".jpg")) as image:
                highest = tifffile.imread(path).max()
                assert np.asarray(image).max() == pytest.approx(highest / 900 * 255, abs=3)
        elif kind == "floats":
            assert np.allclose(tifffile.imread(out)[..., 0], tifffile.imread(path), atol=1e-3)
        else:
            before, after = (cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in (path, out))
            assert np.array_equal(after[..., 0], before)


def test_values_of_an_unknown_range_are_refused_or_told(within: Command, tmp_path: Path) -> None:
    write_set(tmp_path / "floats", heights())
    write_set(tmp_path / "bits", bits(BITS_12))
    identity = Path(__file__).parents[1] / "models" / "identity"
    result = within("apply", identity, "floats", "-o", "out", "--engine=torch", code=3)
    assert "0.tif" not in result.stderr  # Within 0..1.
    for name in ("1.tif", "2.tif"):
        (line,) = [line for line in result.stderr.splitlines() if name in line]
        assert "--range" in line
    result = within("apply", identity, "bits", "-o", "out", "--engine=torch")
    assert result.stderr.count("--range 0,4095") == 3


def test_values_outside_the_range_are_told(within: Command, tmp_path: Path) -> None:
    write_set(tmp_path / "full", [ramp(0, BITS_16, np.uint16)])
    write_set(tmp_path / "few", [ramp(0, 1030, np.uint16)])
    write_set(tmp_path / "heights", [ramp(-900, 900, np.float32)])
    identity = Path(__file__).parents[1] / "models" / "identity"
    for name, is_told in (("full", True), ("few", False), ("heights", True)):
        told = within("apply", identity, name, "-o", "out", "--engine=torch", "--range=0,1023", "--overwrite")
        assert ("outside the range 0..1023" in told.stderr) == is_told


@pytest.mark.parametrize(
    ("values", "word", "remedy"),
    [
        ([ramp(0, 1, np.uint8)] * 3, "black", "--range=0,1"),
        ([ramp(252, 255, np.uint8)] * 3, "white", "--range=252,255"),
    ],
)
def test_a_set_that_is_almost_black_or_white_is_refused_with_the_remedy(
    values: list[np.ndarray], word: str, remedy: str, within: Command, tmp_path: Path
) -> None:
    write_set(tmp_path / "data" / "A", values)
    write_set(tmp_path / "data" / "B", bits(BITS_12))
    # The range of a set is no remedy where it would clip the other set.
    told = f"A are almost {word}"
    error = train(within, code=1).stderr
    assert told in error
    assert "--range LOW,HIGH:LOW,HIGH" in error
    assert not (tmp_path / "run").exists()
    assert told in within("data", "check", "data", code=3).stdout
    within("data", "check", "data", remedy + f":0,{BITS_12}")
    train(within, remedy + f":0,{BITS_12}")
    a, b = model_ranges(tmp_path).values()
    assert remedy == f"--range={a[0]:g},{a[1]:g}"
    assert b == [0, BITS_12]


def test_a_file_of_many_pages_is_scaled_page_by_page(
    within: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("translate.inference.batch.frame_by_frame.MAX_PIXELS_IN_MEMORY", 0)
    stack = np.stack(heights())
    tifffile.imwrite(tmp_path / "x.tif", stack, photometric="minisblack")
    identity = Path(__file__).parents[1] / "models" / "identity"
    refused = within("apply", identity, "x.tif", "-o", "out", "--engine=torch", code=3).stderr
    assert "x.tif: float pixels" in refused
    within("apply", identity, "x.tif", "-o", "out", "--engine=torch", "--range=0,900")
    with tifffile.TiffFile(tmp_path / "out" / "x.tif") as file:
        pages = np.stack([page.asarray()[..., 0] for page in file.pages])
    assert np.allclose(pages, stack, atol=1e-3)


@pytest.mark.parametrize(
    ("recipe", "flags", "domains"),
    [
        ("dcgan", (), ["image"]),
        ("colorize", ("--generator=unet", "--levels=2"), ["gray", "color"]),
    ],
)
def test_sets_of_one_domain_have_one_range(
    recipe: str, flags: tuple[str, ...], domains: list[str], within: Command, tmp_path: Path
) -> None:
    write_set(tmp_path / "data", bits(BITS_12))
    shared = [flag for flag in FLAGS if "levels" not in flag and "d-layers" not in flag]
    log = within("train", recipe, "--data=data", *shared, *flags).stderr
    assert f"from 0 to {BITS_12}" in log
    assert model_ranges(tmp_path) == {domain: [0, BITS_12] for domain in domains}


@pytest.mark.parametrize("command", ["colorize", "inpaint"])
def test_installed_models_take_a_range(command: str, within: Command, tmp_path: Path) -> None:
    source = write_set(tmp_path / "in", heights()[1:2])
    mask = np.zeros((32, 32), np.uint8)
    mask[8:12, 8:12] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    where = ("in", "-o", "out", *(("--mask", "mask.png") if command == "inpaint" else ()))
    assert "--range" in within(command, *where, code=3).stderr
    within(command, *where, "--range=0,200")
    before, after = (tifffile.imread(folder / "0.tif") for folder in (source, tmp_path / "out"))
    gray = after if after.ndim == 2 else after @ np.array([0.299, 0.587, 0.114], np.float32)
    assert np.abs(gray - before)[mask == 0].max() < (4 if command == "colorize" else 1e-3)


def test_missing_data_in_floats_is_refused(within: Command, tmp_path: Path) -> None:
    hole = ramp(0, 900, np.float32)
    hole[:4] = -3.4e38
    for domain in "AB":
        write_set(tmp_path / "data" / domain, [*heights(), hole])
    assert "--range" in train(within, code=1).stderr
    train(within, "--range=0,900")


def test_the_sets_range_is_told_by_data_check(within: Command, tmp_path: Path) -> None:
    write_set(tmp_path / "data", heights())
    assert "from 0 to 900" in within("data", "check", "data").stdout


@pytest.mark.parametrize(("dtype", "white"), [(np.uint8, 255), (np.uint16, BITS_16)])
@pytest.mark.parametrize("colors", [1, 3])
@pytest.mark.parametrize("extra", ["unspecified", "unassalpha"])
def test_a_band_is_alpha_only_if_the_file_says_so(
    extra: str, colors: int, dtype: type, white: int, within: Command, tmp_path: Path
) -> None:
    pixels = np.full((32, 32, colors + 1), white // 4, dtype)
    pixels[..., -1] = 0
    photometric = "rgb" if colors == 3 else "minisblack"
    path = tmp_path / "data" / "x.tif"
    path.parent.mkdir()
    tifffile.imwrite(path, pixels, photometric=photometric, extrasamples=[extra], planarconfig="contig")
    is_alpha = extra == "unassalpha"
    if (colors, dtype, is_alpha) == (1, np.uint8, False) and PIL.__version__ < "13":
        pytest.skip(f"Pillow {PIL.__version__} cannot read 8-bit gray with an unspecified band")
    assert set(read_rgb(path).ravel()) <= ({255} if is_alpha else {63, 64})
    assert ("ExtraSamples" in within("data", "check", "data", code=3 if is_alpha else 0).stdout) != is_alpha
    identity = Path(__file__).parents[1] / "models" / "identity"
    told = within("apply", identity, "data", "-o", "out", "--engine=torch").stderr
    assert ("ExtraSamples" in told) != is_alpha


def test_several_bands_beyond_the_colours_are_told(within: Command, tmp_path: Path) -> None:
    pixels = np.dstack([ramp(0, 255, np.uint8, 3), np.full((32, 32, 2), 9, np.uint8)])
    path = tmp_path / "data" / "x.tif"
    path.parent.mkdir()
    tifffile.imwrite(path, pixels, photometric="rgb", extrasamples=["unspecified"] * 2, planarconfig="contig")
    assert "ExtraSamples" in within("data", "check", "data").stdout
    identity = Path(__file__).parents[1] / "models" / "identity"
    assert "ExtraSamples" in within("apply", identity, "data", "-o", "out", "--engine=torch").stderr
    assert np.array_equal(tifffile.imread(tmp_path / "out" / "x.tif"), pixels[..., :3])
    # A fax has one band, and need not say so.
    Image.new("1", (32, 32)).save(tmp_path / "fax.tif", compression="group4")
    assert "ExtraSamples" not in within("apply", identity, "fax.tif", "-o", "out", "--engine=torch").stderr


def test_signed_integers_are_refused_with_a_remedy_that_works(within: Command, tmp_path: Path) -> None:
    values = ramp(-1024, 3071, np.int16)
    for domain in "AB":
        (tmp_path / "data" / domain).mkdir(parents=True)
        for number in range(3):
            tifffile.imwrite(tmp_path / "data" / domain / f"{number}.tif", values)
    assert "to float32" in within("data", "check", "data", code=3).stdout
    for path in tmp_path.glob("data/*/*.tif"):
        tifffile.imwrite(path, values.astype(np.float32))
    train(within)
    assert model_ranges(tmp_path)["A"] == [-1024, 3071]


def test_pages_that_training_does_not_read_are_told_once(within: Command, tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for number in range(3):
        tifffile.imwrite(
            tmp_path / "data" / f"{number}.tif",
            np.stack([ramp(0, 255, np.uint8)] * 5),
            photometric="minisblack",
        )
    output = within("data", "check", "data").stdout
    assert output.count("12 pages") == 1
