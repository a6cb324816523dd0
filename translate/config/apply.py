"""The options of applying a model: the one source of the flags of `apply` and the arguments in Python."""

from __future__ import annotations

from dataclasses import dataclass

from translate.config.schema import Config, setting

DEVICES = "auto, cpu, cuda, cuda:1 or mps"
PRECISIONS = ("auto", "fp32", "bf16", "fp16")
ENGINES = ("auto", "torch", "openvino", "onnxruntime")
OUTPUT_FORMATS = ("keep", "png", "jpg", "webp")
MAX_MEGAPIXELS = 250.0


@dataclass(kw_only=True)
class PredictorOptions(Config):
    """How a model is loaded and run."""

    direction: str | None = setting(
        None, "for a model that translates both ways [default: its first direction]", metavar="AtoB|BtoA"
    )
    device: str = setting("auto", DEVICES, metavar="DEVICE")
    precision: str = setting(
        "auto", "mixed precision; auto is bf16 where the hardware is fast at it", choices=PRECISIONS
    )
    engine: str = setting("auto", "runs the network; auto is the fastest that is installed", choices=ENGINES)
    tile: str = setting(
        "auto",
        "side of the tiles that large images are cut into, in pixels; auto: only where memory demands it",
        metavar="auto|off|N",
    )
    compile: bool = setting(
        False, "compile the network with torch.compile; pays off for hundreds of images of one size"
    )
    saturation: float = setting(
        1.0, "factor of the colour saturation, for a model of colorize", low=0, high=10, metavar="FACTOR"
    )


@dataclass(kw_only=True)
class FolderOptions(Config):
    """How files are read and written when a model is applied to files and folders."""

    format: str = setting("keep", "output format; keep is that of each input", choices=OUTPUT_FORMATS)
    keep_metadata: bool = setting(False, "keep GPS position and XMP, too")
    overwrite: bool = setting(False, "translate images again that the output folder already holds")
    max_megapixels: float = setting(
        MAX_MEGAPIXELS, "refuse images with more megapixels, all frames counted", low=0.001, metavar="N"
    )
    workers: int = setting(
        2, "threads that decode, and as many that encode; 0: none", low=0, high=64, metavar="N"
    )
    mask: str | None = setting(
        None,
        "white is filled, for a model of inpaint: a file for all images, or a folder of masks by stem"
        " [default: what is transparent]",
        metavar="MASK",
    )
    invert: bool = setting(False, "fill what is black in the mask instead")
    dilate: int = setting(0, "enlarge each hole by so many pixels", low=0, high=1000, metavar="PIXELS")

    @property
    def max_pixels(self) -> int:
        """Return the largest number of pixels that an image may have, all frames counted."""
        return round(self.max_megapixels * 1_000_000)
