"""Pillow's pixel limit and its warnings are suspended during reading and writing; other warnings are not."""

from __future__ import annotations

import contextlib
import struct
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.images.image_samples import noise, save_image
from translate.errors import DataError
from translate.images import Frame, ImageFile, count_pixels, read, read_rgb, write

MODEL, ARTIST = 0x0110, 0x013B


def make_exif() -> Image.Exif:
    exif = Image.Exif()
    exif[MODEL], exif[ARTIST] = "a model", "an artist"
    return exif


def damage(content: bytes) -> bytes:
    """Make the tag of the artist longer than the file."""
    for order in "<>":
        entry = struct.pack(order + "HHI", ARTIST, 2, len("an artist") + 1)
        content = content.replace(entry, struct.pack(order + "HHI", ARTIST, 2, 10**6))
    return content


@pytest.fixture(params=["jpg", "tif"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return a file of 30 x 20 pixels for which Pillow issues a warning."""
    path = save_image(Image.fromarray(noise(20, 30)), tmp_path / f"a.{request.param}", exif=make_exif())
    path.write_bytes(damage(path.read_bytes()))
    with (
        pytest.warns(UserWarning, match=f"Skipping tag {ARTIST}|Truncated File Read"),
        Image.open(path) as image,
    ):
        image.getexif().get(MODEL)
    return path


@pytest.fixture
def intact(tmp_path: Path) -> Path:
    """Return a file that Pillow reads without a warning."""
    return save_image(Image.fromarray(noise(20, 30)), tmp_path / "intact.png")


@contextlib.contextmanager
def read_in_progress(path: Path) -> Iterator[None]:
    """Pause another thread in the middle of reading a file, until the context is left."""
    inside, leave = threading.Event(), threading.Event()
    open_image = Image.open

    def wait_and_open(*args: object, **options: object) -> Image.Image:
        inside.set()
        leave.wait(10)
        return open_image(*args, **options)

    thread = threading.Thread(target=read, args=(path,))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Image, "open", wait_and_open)
        thread.start()
        assert inside.wait(10)
    try:
        yield
    finally:
        leave.set()
        thread.join(10)


def read_in_threads(path: Path, count: int = 8, times: int = 10) -> list[ImageFile | Exception]:
    """Read a file in several threads at once; return the result or the exception of each read."""
    start = threading.Barrier(count)
    results: list[ImageFile | Exception] = []

    def work() -> None:
        start.wait(10)
        for _ in range(times):
            try:
                results.append(read(path))
            except Exception as error:
                results.append(error)

    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == count * times
    return results


def test_small_damage_raises_nothing_although_warnings_are_errors(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert b"a model" in read(path).metadata["exif"]
        assert read_rgb(path).shape == (20, 30, 3)
        assert count_pixels(path) == 600


def test_small_damage_raises_nothing_in_many_threads(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = read_in_threads(path)
    assert [result for result in results if isinstance(result, Exception)] == []
    assert all(b"a model" in file.metadata["exif"] for file in results)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_damaged_metadata_is_written_although_warnings_are_errors(dtype: str, tmp_path: Path) -> None:
    frame, metadata = Frame(pixels=noise().astype(dtype)), {"exif": damage(make_exif().tobytes())}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(ImageFile(format="TIFF", frames=[frame], metadata=metadata), tmp_path / "b.tif")
        assert b"a model" in read(tmp_path / "b.tif").metadata["exif"]


def test_a_warning_of_another_module_is_shown_during_a_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_image = Image.open

    def warn_and_open(*args: object, **options: object) -> Image.Image:
        warnings.warn("other module", stacklevel=1)
        return open_image(*args, **options)

    monkeypatch.setattr(Image, "open", warn_and_open)
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        read(path)
    assert [str(warning.message) for warning in shown] == ["other module"]


def test_a_callers_warning_is_shown_while_another_thread_reads(path: Path) -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        with read_in_progress(path):
            warnings.warn("caller", stacklevel=1)
    assert [str(warning.message) for warning in shown] == ["caller"]


def test_a_callers_warning_that_is_to_be_shown_once_is_shown_once(path: Path) -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        for _ in range(3):
            warnings.warn("caller", stacklevel=1)
            read(path)
    assert [str(warning.message) for warning in shown] == ["caller"]


def test_the_warning_filters_are_restored(path: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")  # A filter of the caller, which must stay.
        before = list(warnings.filters)
        write(read(path), tmp_path / "b.tif")
        count_pixels(path)
        with pytest.raises(DataError):
            read(tmp_path / "none")
        read_in_threads(path, count=4, times=3)
        assert list(warnings.filters) == before


def test_the_warning_filters_are_restored_if_the_list_was_replaced_during_a_read(path: Path) -> None:
    before = list(warnings.filters)
    with contextlib.ExitStack() as outer, contextlib.ExitStack() as reading:
        reading.enter_context(read_in_progress(path))
        outer.enter_context(warnings.catch_warnings())
        reading.close()
        assert list(warnings.filters) == before
    assert list(warnings.filters) == before


def test_the_warning_filters_are_restored_if_the_list_was_restored_during_a_read(
    path: Path, intact: Path
) -> None:
    before = list(warnings.filters)
    with contextlib.ExitStack() as reading:
        with warnings.catch_warnings():
            reading.enter_context(read_in_progress(intact))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert b"a model" in read(path).metadata["exif"]
    assert list(warnings.filters) == before


def test_a_filter_inserted_during_a_read_does_not_affect_a_later_read(path: Path, intact: Path) -> None:
    with warnings.catch_warnings(), read_in_progress(intact):
        warnings.simplefilter("error")
        assert b"a model" in read(path).metadata["exif"]


def test_pillows_pixel_limit_is_restored(
    intact: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 12345)
    for attempt in (
        lambda: read(intact),
        lambda: read(intact, max_pixels=1),
        lambda: read(tmp_path / "none"),
    ):
        with contextlib.suppress(DataError):
            attempt()
        assert Image.MAX_IMAGE_PIXELS == 12345


def test_pillows_pixel_limit_is_restored_by_the_last_thread(
    intact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 12345)
    with read_in_progress(intact):
        assert Image.MAX_IMAGE_PIXELS is None
        read(intact)
        assert Image.MAX_IMAGE_PIXELS is None
    assert Image.MAX_IMAGE_PIXELS == 12345


def test_pillows_pixel_limit_is_restored_after_many_threads(
    intact: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    results = read_in_threads(intact, count=4, times=20)
    assert [result for result in results if isinstance(result, Exception)] == []
    assert Image.MAX_IMAGE_PIXELS == 100
