"""The options of applying a model: the one source of the flags of `apply` and the arguments in Python."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config.model import ModelConfig
from translate.config.schema import Config, setting
from translate.errors import UsageError

DEVICE_HELP = "device to compute on: auto, cpu, cuda, cuda:1 or mps"
PRECISIONS = ("auto", "fp32", "tf32", "bf16", "fp16")
ENGINES = ("auto", "torch", "openvino", "onnxruntime")
OUTPUT_FORMATS = ("keep", "png", "jpg", "webp")
ALPHA = ("keep", "drop")
MAX_MEGAPIXELS = 250.0
MIN_TILE, MIN_SIZE = 32, 8  # The minimum side of a tile's core and the minimum working size, in pixels.


@dataclass(kw_only=True)
class PredictorOptions(Config):
    """The options of loading and running a model."""

    direction: str | None = setting(
        None,
        "direction of the translation, for a model that has two [default: its first]",
        metavar="AtoB|BtoA",
    )
    to: str | None = setting(
        None,
        "domain of the outputs, for a model of several; all: each of them, in a folder of its own; of"
        " attributes, all that are on (blond,young), or none",
        metavar="DOMAIN|all",
    )
    device: str = setting("auto", DEVICE_HELP, metavar="DEVICE")
    precision: str = setting(
        "auto", "mixed precision; auto is bf16 if the hardware is fast at it", choices=PRECISIONS
    )
    engine: str = setting(
        "auto",
        "library that runs the network; auto: on a CPU, the fastest installed one that agrees with torch",
        choices=ENGINES,
    )
    tile: str = setting(
        "auto",
        "side of the tiles' cores, in pixels, to which 64 px of context are added on each side; off: whole"
        " images; auto: tiles only if memory demands them",
        metavar="auto|off|N",
    )
    size: str = setting(
        "auto",
        "working size: images of a larger shorter side are reduced to it for the network, and the output is"
        " brought back to their own size with their detail; auto: the size that the model was trained at;"
        " native: each image's own size",
        metavar="auto|native|N",
    )
    compile: bool = setting(
        False, "compile the network with torch.compile; pays off for hundreds of images of one size"
    )
    saturation: float = setting(
        1.0, "factor of the colour saturation, for a model of colorize", low=0, high=10, metavar="FACTOR"
    )
    alpha: str = setting(
        "keep",
        "transparency of the outputs: keep that of each image, or drop it for opaque images; the network sees"
        " an image on white",
        choices=ALPHA,
    )
    range: str | None = setting(
        None,
        "stored values of black and white (0,4095), or those of input and output (0,4095:0,900), for 16-bit"
        " files that use fewer bits and for floats [default: as the model was trained]",
        metavar="LOW,HIGH",
    )


@dataclass(kw_only=True)
class FolderOptions(Config):
    """The options of reading and writing files when a model is applied to files and folders."""

    format: str = setting("keep", "output format; keep is that of each input", choices=OUTPUT_FORMATS)
    keep_metadata: bool = setting(False, "keep the GPS position and XMP metadata")
    half: str | None = setting(
        None,
        "translate only this half of each image, such as the input in a joined A|B file",
        choices=("left", "right"),
    )
    overwrite: bool = setting(
        False, "translate all images again, and replace any files of their names in OUT"
    )
    max_megapixels: float = setting(
        MAX_MEGAPIXELS, "refuse images with more megapixels, all frames counted", low=0.001, metavar="N"
    )
    workers: int | None = setting(
        None,
        "threads that decode, and as many that encode; with a GPU and 100 images or more, processes; 0: none"
        " [default: 2 threads; with processes, half of the cores]",
        low=0,
        high=64,
        metavar="N",
    )
    mask: str | None = setting(
        None,
        "mask, white where an image is to be filled: one file for all images, or a folder of masks named like"
        " the images [default: masks beside the images, such as a_mask.png for a.jpg, or else transparent"
        " pixels are filled]",
        metavar="MASK",
    )
    invert: bool = setting(False, "fill where the mask is black instead")
    dilate: int = setting(0, "pixels by which each hole is enlarged", low=0, high=1000, metavar="PIXELS")

    @property
    def max_pixels(self) -> int:
        """Return the largest number of pixels that an image may have, all frames counted."""
        return round(self.max_megapixels * 1_000_000)


def parse_tile(tile: str | int) -> str | int:
    """Return `auto`, `off`, or the side of a tile's core in pixels.

    Raises:
        UsageError: it is none of these.
    """
    return _word_or_pixels("tile", tile, ("auto", "off"), MIN_TILE)


def parse_size(size: str | int) -> str | int:
    """Return `auto`, `native`, or the working size in pixels.

    Raises:
        UsageError: it is none of these.
    """
    return _word_or_pixels("size", size, ("auto", "native"), MIN_SIZE)


def _word_or_pixels(name: str, value: str | int, words: tuple[str, ...], low: int) -> str | int:
    """Return one of some words, or a number of pixels."""
    if value in words:
        return value
    if not str(value).isdecimal() or int(value) < low:
        raise UsageError(
            f"{name} is {value!r}, but must be {', '.join(words)}, or a side of at least {low} pixels"
        )
    return int(value)


def choose_working_size(config: ModelConfig, size: str | int, tile: str | int) -> tuple[int | None, str]:
    """Return the working size for a model, None for each image's own size, and a line that says why.

    Args:
        size: what `parse_size` returns.
        tile: what `parse_tile` returns.

    Raises:
        UsageError: both are numbers.
    """
    trained_at, back = config.working_size, "and the output is brought back to their own size"
    if isinstance(size, int):
        if isinstance(tile, int):
            raise UsageError(
                f"--tile {tile} keeps images at their own size, --size {size} does not: give one"
            )
        return size, f"larger images are translated at {size} px (shorter side), {back}"
    if size == "auto" and trained_at and not isinstance(tile, int):
        side = f"{trained_at} px (shorter side, as in training)"
        return trained_at, f"larger images are translated at {side}, {back}; --size native turns this off"
    own_size = "images are translated at their own size"
    if trained_at:
        flag = "--size native" if size == "native" else f"--tile {tile}"
        return None, f"{own_size}, as {flag} says; the model was trained at {trained_at} px (shorter side)"
    if config.scale:
        return None, f"{own_size}, as in training"
    return None, (
        f"{own_size}: the model does not record the size of its training images;"
        " if they were smaller, give their shorter side with --size N"
    )
