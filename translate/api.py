"""What `import translate` hands out: `load`, `Translator`, `sampler`, `Sampler` and `train`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

from PIL import Image
from torch import Tensor, nn

from translate.config import ModelConfig
from translate.images import MAX_PIXELS, Array
from translate.inference import Outcome, Predictor, Sampler, load_predictor, translate_folder
from translate.inference.batch.masks import Masks
from translate.models import Model

__all__ = ["Sampler", "Translator", "load", "sampler", "train"]


class Translator:
    """A model that turns images into images: one by one, or whole folders.

    The answer for an image does not depend on the images before it or beside it, and several threads may
    use one translator.

    Attributes:
        predictor: what applies the model.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    @property
    def config(self) -> ModelConfig:
        """Return the content of the model's `config.json`."""
        return self.predictor.config

    @property
    def direction(self) -> str:
        """The name of the route that is gone: `AtoB`."""
        return self.predictor.direction

    @property
    def generator(self) -> nn.Module:
        """The network: (N, C, H, W) in [-1, 1] -> the same, of the target domain."""
        return self.predictor.generator

    @overload
    def __call__(self, image: Path | str | Image.Image, mask: Any = None) -> Image.Image: ...
    @overload
    def __call__(self, image: Array, mask: Any = None) -> Array: ...
    @overload
    def __call__(self, image: Tensor, mask: Any = None) -> Tensor: ...

    def __call__(self, image: Any, mask: Any = None) -> Any:
        """Translate one image; the answer is of the same kind.

        Args:
            image: a path or a PIL image (a PIL image comes back, of several frames the first, of 16-bit
                colour with 8 bits: `folder` keeps both); an array, (H, W) or (H, W, C) uint8 or
                uint16 of 1 to 4 channels; a tensor, (C, H, W) or (N, C, H, W) in [-1, 1].
            mask: for a model that repairs: a path, a PIL image or an array, white in the hole. Without
                it, what is transparent is filled.

        Raises:
            DataError: the file is no image, or the array or tensor is of another shape or kind.
            UsageError: the model repairs and there is no mask, or there is one and it does not.
        """
        return self.predictor(image, mask)

    def folder(
        self,
        inputs: Path | str | Sequence[Path | str],
        out: Path | str,
        *,
        format: str = "keep",
        keep_metadata: bool = False,
        overwrite: bool = False,
        max_pixels: int = MAX_PIXELS,
        workers: int = 2,
        mask: Path | str | None = None,
        invert: bool = False,
        dilate: int = 0,
    ) -> list[Outcome]:
        """Translate files and whole folders; their tree is kept below `out`. One outcome an image.

        Args:
            format: `keep`, `png`, `jpg` or `webp`.
            keep_metadata: keep the place (GPS) and XMP, too.
            overwrite: translate again what `out` holds already.
            max_pixels: refuse images with more, all frames together.
            workers: threads that read, and as many that write.
            mask: for a model that repairs: one mask for all, or a folder of masks by stem.
            invert: what the mask shows is kept, and all else is filled.
            dilate: pixels by which each hole is enlarged.

        Raises:
            UsageError: an input is missing, a folder holds no image, or `out` is an input folder.
        """
        paths = [inputs] if isinstance(inputs, (str, Path)) else inputs
        outcomes = translate_folder(
            self.predictor,
            [Path(path) for path in paths],
            Path(out),
            format=format,
            keep_metadata=keep_metadata,
            overwrite=overwrite,
            max_pixels=max_pixels,
            workers=workers,
            masks=Masks(Path(mask) if mask is not None else None, invert, dilate),
        )
        return list(outcomes)


def load(
    model: Path | str,
    *,
    direction: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    engine: str = "auto",
    tile: str | int = "auto",
    compile: bool = False,
    saturation: float = 1.0,
) -> Translator:
    """Load a translator from a run's folder, a model's folder, or an installed model: `colorize`, `inpaint`.

    Args:
        direction: `AtoB` or `BtoA`, by default the model's first.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        precision: `auto`, `fp32`, `bf16` or `fp16`.
        engine: `auto`, `torch`, `openvino` or `onnxruntime`.
        tile: `auto`, `off`, or the side of the tiles that an image is cut into, in pixels.
        compile: compile the network first, worth it for hundreds of images of one size.
        saturation: of a model that colours: factor of the chroma.

    Raises:
        TranslateError: there is no model, it is damaged, or it does not go in that direction.
    """
    predictor = load_predictor(
        Model.from_pretrained(model),
        direction=direction,
        device=device,
        precision=precision,
        engine=engine,
        tile=tile,
        compile=compile,
        saturation=saturation,
    )
    return Translator(predictor)


def sampler(model: Path | str, *, device: str = "auto", precision: str = "auto") -> Sampler:
    """Load what makes images from noise, from a run's or a model's folder: `s(s.draw(64, seed=7))`.

    Args:
        device, precision: as for `load`.

    Raises:
        TranslateError: there is no model, it is damaged, or it makes images from images.
    """
    return Sampler(Model.from_pretrained(model), device=device, precision=precision)


def train(
    recipe: str, *, resume: bool = False, overwrite: bool = False, **settings: Any
) -> Translator | Sampler:
    """Train a recipe to its end, and load what came of it.

    Images are loaded by worker processes: in a script, call it below `if __name__ == "__main__":`.

    Args:
        recipe: `pix2pix`, `cyclegan`, ... (see `translate.methods.registry`).
        resume: go on with the run in `out`.
        overwrite: replace the run in `out`.
        settings: the fields of the recipe's config, as `data="photos"`, `batch_size=4`.

    Raises:
        TranslateError: a setting or the data cannot be used, or the disk is full.
        KeyboardInterrupt: it was stopped; the run is saved and can be resumed.
    """
    # Applying a model needs neither albumentations nor the loop, so they are not imported above.
    from translate.config import collect_settings
    from translate.methods.registry import find_method
    from translate.training.session import Session

    given = collect_settings(find_method(recipe).config_class(), settings, environ=os.environ)
    session = Session(recipe, given, resume=resume, overwrite=overwrite)
    if not session.train():
        raise KeyboardInterrupt
    model = Model.from_pretrained(session.run.folder)
    return Sampler(model) if model.config.kind == "generation" else Translator(load_predictor(model))
