"""The options of applying a model: the one source of the flags of `apply` and the arguments in Python."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config.schema import Config, setting

DEVICE_HELP = "device to compute on: auto, cpu, cuda, cuda:1 or mps"
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
ENGINES = ("auto", "torch", "openvino", "onnxruntime")
OUTPUT_FORMATS = ("keep", "png", "jpg", "webp")
ALPHA = ("keep", "drop")
MAX_MEGAPIXELS = 250.0


@dataclass(kw_only=True)
class PredictorOptions(Config):
    """The options of loading and running a model."""

    direction: str | None = setting(
        None,
        "direction of the translation, for a model that has two [default: its first]",
        metavar="AtoB|BtoA",
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


@dataclass(kw_only=True)
class FolderOptions(Config):
    """The options of reading and writing files when a model is applied to files and folders."""

    format: str = setting("keep", "output format; keep is that of each input", choices=OUTPUT_FORMATS)
    keep_metadata: bool = setting(False, "keep the GPS position and XMP metadata")
    overwrite: bool = setting(
        False, "translate all images again, and replace any files of their names in OUT"
    )
    max_megapixels: float = setting(
        MAX_MEGAPIXELS, "refuse images with more megapixels, all frames counted", low=0.001, metavar="N"
    )
    workers: int = setting(
        2, "threads that decode, and as many that encode; 0: none", low=0, high=64, metavar="N"
    )
    mask: str | None = setting(
        None,
        "mask, white where an image is to be filled: one file for all images, or a folder of masks named like"
        " the images [default: transparent pixels are filled]",
        metavar="MASK",
    )
    invert: bool = setting(False, "fill where the mask is black instead")
    dilate: int = setting(0, "pixels by which each hole is enlarged", low=0, high=1000, metavar="PIXELS")

    @property
    def max_pixels(self) -> int:
        """Return the largest number of pixels that an image may have, all frames counted."""
        return round(self.max_megapixels * 1_000_000)
