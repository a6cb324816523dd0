"""The Python interface that `import translate` exports: `load`, `sampler`, `train`, and their classes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

from PIL import Image
from torch import Tensor, nn

from translate.config import FolderOptions, ModelConfig, PredictorOptions, accepts
from translate.display import show_progress
from translate.images import Array
from translate.inference import (
    SAMPLERS,
    Outcome,
    Predictor,
    Sampler,
    VolumeSampler,
    load_predictor,
    load_sampler,
    translate_folder,
)
from translate.models import Model

__all__ = ["Sampler", "Translator", "load", "sampler", "train"]


class Translator:
    """A model that turns images into images: one by one, or whole folders.

    The output for an image does not depend on the images before it or beside it. Any number of threads may
    use one translator at the same time.

    Attributes:
        predictor: applies the model.
    """

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    @property
    def config(self) -> ModelConfig:
        """Return the content of the model's `config.json`."""
        return self.predictor.config

    @property
    def direction(self) -> str:
        """Return the direction of the translation, `AtoB`, or its target; empty if there is no target yet."""
        return self.predictor.direction

    @property
    def generator(self) -> nn.Module:
        """Return the network. It turns (N, C, H, W) in [-1, 1] into the same of the target domain.

        For a model of several domains that was loaded without a target, its second argument is the label,
        (N, domains): 1 for each domain or attribute of the target, and 0 for the others.
        """
        return self.predictor.generator

    @overload
    def __call__(
        self, image: Path | str | Image.Image, mask: Any = None, *, to: str | None = None
    ) -> Image.Image: ...
    @overload
    def __call__(self, image: Array, mask: Any = None, *, to: str | None = None) -> Array: ...
    @overload
    def __call__(self, image: Tensor, mask: Any = None, *, to: str | None = None) -> Tensor: ...

    def __call__(self, image: Any, mask: Any = None, *, to: str | None = None) -> Any:
        """Translate one image, and return an image of the same type.

        Args:
            image: a path or a PIL image, for which a PIL image is returned: the first frame, with at most 8
                bits per channel (`folder` keeps all frames and 16 bits); or an array, (H, W) or (H, W, C),
                uint8 or uint16, of 1 to 4 channels; or a tensor, (C, H, W) or (N, C, H, W) in [-1, 1].
            mask: for an inpainting model: a path, a PIL image or an array, white where the image is to be
                filled. Without a mask, transparent pixels are filled.
            to: for a model of several domains: the domain, or the attributes that are on, as in `load`; by
                default, those that the model was loaded with.

        Raises:
            DataError: the file is not an image, or the array or tensor has another shape or dtype.
            UsageError: an inpainting model got no mask, or another model got one; a model of several domains
                has no such target, or got none.
        """
        return self.predictor.for_target(to)(image, mask)

    @accepts(FolderOptions)
    def folder(
        self,
        inputs: Path | str | Sequence[Path | str],
        out: Path | str,
        *,
        to: str | None = None,
        **options: Any,
    ) -> list[Outcome]:
        """Translate files and folders of images, and return one outcome for each image.

        The folder tree of the inputs is kept below `out`. An image that fails does not stop the others.

        Args:
            to: for a model of several domains: the target, as when it is called; with `all`, each domain gets
                a folder below `out`.
            {options}

        Raises:
            UsageError: an input is missing, a folder holds no image, or `out` is an input folder; a model of
                several domains has no such target, or got none.
        """
        paths = [Path(path) for path in ([inputs] if isinstance(inputs, (str, Path)) else inputs)]
        return list(translate_folder(self.predictor, paths, Path(out), to=to, **options))


@accepts(PredictorOptions)
def load(model: Path | str, **options: Any) -> Translator:
    """Load a model that turns images into images.

    Args:
        model: the folder of a run or of a model, or the name of an installed model (`colorize`, `inpaint`).
        {options}

    Raises:
        TranslateError: there is no such model, it is damaged, or an option does not fit it or this machine.
    """
    return Translator(load_predictor(Model.from_pretrained(model), **options))


def sampler(model: Path | str, *, device: str = "auto", precision: str = "auto") -> Sampler | VolumeSampler:
    """Load a model that generates images or volumes from noise.

    An example: `s = sampler("runs/dcgan"); images = s(s.draw(64, seed=7))`.

    Args:
        model: the folder of a run or of a model.
        device, precision: as for `load`.

    Raises:
        TranslateError: there is no such model, it is damaged, or it turns images into images.
    """
    return load_sampler(Model.from_pretrained(model), device=device, precision=precision)


def train(
    recipe: str, *, resume: bool = False, overwrite: bool = False, **settings: Any
) -> Translator | Sampler | VolumeSampler:
    """Train a model, and load it on the same device when it is finished.

    Worker processes load the images: in a script, call this function below `if __name__ == "__main__":`.

    Args:
        recipe: the method: `pix2pix`, `cyclegan`, ... (see `translate.methods.registry`).
        resume: continue the run in `out`.
        overwrite: replace the run in `out`.
        settings: fields of the recipe's config, such as `data="photos"`, `batch_size=4`.

    Raises:
        TranslateError: a setting or the dataset cannot be used, or the disk is full.
        KeyboardInterrupt: the training was interrupted; the run is saved and can be resumed.
    """
    # Inference needs neither albumentations nor the training loop, so they are not imported above.
    from translate.config import collect_settings
    from translate.methods.registry import find_method
    from translate.training.session import Session

    given = collect_settings(find_method(recipe).config_class(), settings, environ=os.environ)
    with show_progress():
        session = Session(recipe, given, resume=resume, overwrite=overwrite)
        if not session.train():
            raise KeyboardInterrupt
    model, device = Model.from_pretrained(session.run.folder), session.config.device
    if model.config.kind in SAMPLERS:
        return load_sampler(model, device=device)
    return Translator(load_predictor(model, device=device))
