"""Pillow's own pixel limit and its warnings are off while images are read and written; all else is on."""

from __future__ import annotations

import contextlib
import struct
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.unit.images.making import noise, saved
from translate.errors import DataError
from translate.images import Frame, ImageFile, count_pixels, read, read_rgb, write

MODEL, ARTIST = 0x0110, 0x013B


def tags() -> Image.Exif:
    exif = Image.Exif()
    exif[MODEL], exif[ARTIST] = "a model", "an artist"
    return exif


def damage(content: bytes) -> bytes:
    """Make the tag of the artist longer than the file that it is in."""
    for order in "<>":
        entry = struct.pack(order + "HHI", ARTIST, 2, len("an artist") + 1)
        content = content.replace(entry, struct.pack(order + "HHI", ARTIST, 2, 10**6))
    return content


@pytest.fixture(params=["jpg", "tif"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file of 30 x 20 pixels that Pillow reads with a warning."""
    path = saved(Image.fromarray(noise(20, 30)), tmp_path / f"a.{request.param}", exif=tags())
    path.write_bytes(damage(path.read_bytes()))
    with (
        pytest.warns(UserWarning, match=f"Skipping tag {ARTIST}|Truncated File Read"),
        Image.open(path) as image,
    ):
        image.getexif().get(MODEL)
    return path


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A file that Pillow reads without one."""
    return saved(Image.fromarray(noise(20, 30)), tmp_path / "sound.png")


@contextlib.contextmanager
def read_in_progress(path: Path) -> Iterator[None]:
    """Have another thread in the midst of reading a file, until this is left."""
    inside, leave = threading.Event(), threading.Event()
    open_image = Image.open

    def wait_and_open(*args: object, **more: object) -> Image.Image:
        inside.set()
        leave.wait(10)
        return open_image(*args, **more)

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
    """Read a file in several threads at once; return what each read gave or raised."""
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


def test_small_damage_is_read_around_although_warnings_are_errors(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert b"a model" in read(path).metadata["exif"]
        assert read_rgb(path).shape == (20, 30, 3)
        assert count_pixels(path) == 600


def test_small_damage_is_read_around_in_many_threads_at_once(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        results = read_in_threads(path)
    assert [result for result in results if isinstance(result, Exception)] == []
    assert all(b"a model" in file.metadata["exif"] for file in results)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_damaged_metadata_is_written_although_warnings_are_errors(kind: str, tmp_path: Path) -> None:
    frame, metadata = Frame(pixels=noise().astype(kind)), {"exif": damage(tags().tobytes())}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write(ImageFile(format="TIFF", frames=[frame], metadata=metadata), tmp_path / "b.tif")
        assert b"a model" in read(tmp_path / "b.tif").metadata["exif"]


def test_a_warning_from_elsewhere_is_shown_while_an_image_is_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_image = Image.open

    def warn_and_open(*args: object, **more: object) -> Image.Image:
        warnings.warn("from elsewhere", stacklevel=1)
        return open_image(*args, **more)

    monkeypatch.setattr(Image, "open", warn_and_open)
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        read(path)
    assert [str(warning.message) for warning in shown] == ["from elsewhere"]


def test_a_callers_warning_is_shown_while_another_thread_reads(path: Path) -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        with read_in_progress(path):
            warnings.warn("the caller's own", stacklevel=1)
    assert [str(warning.message) for warning in shown] == ["the caller's own"]


def test_a_callers_warning_that_is_to_be_shown_once_is_shown_once(path: Path) -> None:
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        for _ in range(3):
            warnings.warn("the caller's own", stacklevel=1)
            read(path)
    assert [str(warning.message) for warning in shown] == ["the caller's own"]


def test_the_filters_are_afterwards_what_they_were(path: Path, tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"PIL\.")  # a caller's own, which is to stay
        before = list(warnings.filters)
        write(read(path), tmp_path / "b.tif")
        count_pixels(path)
        with pytest.raises(DataError):
            read(tmp_path / "none")
        read_in_threads(path, count=4, times=3)
        assert list(warnings.filters) == before


def test_the_filters_are_what_they_were_if_the_list_was_replaced_during_a_read(path: Path) -> None:
    before = list(warnings.filters)
    with contextlib.ExitStack() as outer, contextlib.ExitStack() as reading:
        reading.enter_context(read_in_progress(path))
        outer.enter_context(warnings.catch_warnings())
        reading.close()
        assert list(warnings.filters) == before
    assert list(warnings.filters) == before


def test_the_filters_are_what_they_were_if_the_list_was_put_back_during_a_read(
    path: Path, sound: Path
) -> None:
    before = list(warnings.filters)
    with contextlib.ExitStack() as reading:
        with warnings.catch_warnings():
            reading.enter_context(read_in_progress(sound))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert b"a model" in read(path).metadata["exif"]
    assert list(warnings.filters) == before


def test_a_filter_that_was_put_in_front_during_a_read_stops_no_later_one(path: Path, sound: Path) -> None:
    with warnings.catch_warnings(), read_in_progress(sound):
        warnings.simplefilter("error")
        assert b"a model" in read(path).metadata["exif"]


def test_pillows_own_limit_is_back_afterwards(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 12345)
    for attempt in (lambda: read(sound), lambda: read(sound, max_pixels=1), lambda: read(tmp_path / "none")):
        with contextlib.suppress(DataError):
            attempt()
        assert Image.MAX_IMAGE_PIXELS == 12345


def test_pillows_own_limit_is_back_when_the_last_of_several_threads_is_done(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 12345)
    with read_in_progress(sound):
        assert Image.MAX_IMAGE_PIXELS is None
        read(sound)
        assert Image.MAX_IMAGE_PIXELS is None
    assert Image.MAX_IMAGE_PIXELS == 12345


def test_pillows_own_limit_survives_many_threads(sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    results = read_in_threads(sound, count=4, times=20)
    assert [result for result in results if isinstance(result, Exception)] == []
    assert Image.MAX_IMAGE_PIXELS == 100
