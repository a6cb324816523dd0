"""What `import translate` hands out: `load`, `Translator`, `sampler`, `Sampler` and `train`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from translate.inference import Sampler, Translator
from translate.models import Model

__all__ = ["Sampler", "Translator", "load", "sampler", "train"]


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
    """A translator from a run's folder, a model's folder, or an installed model: `colorize`, `inpaint`.

    Args:
        direction: `AtoB` or `BtoA`, by default the model's first.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        precision: `auto`, `fp32`, `bf16` or `fp16`.
        engine: `auto`, `torch`, `openvino` or `onnxruntime`.
        tile: `auto`, `off`, or the side of the tiles that a picture is cut into, in pixels.
        compile: compile the network first, worth it for hundreds of pictures of one size.
        saturation: of a model that colours: factor of the chroma.

    Raises:
        TranslateError: there is no model, it is damaged, or it does not go in that direction.
    """
    return Translator(
        Model.from_pretrained(model),
        direction=direction,
        device=device,
        precision=precision,
        engine=engine,
        tile=tile,
        compile=compile,
        saturation=saturation,
    )


def sampler(model: Path | str, *, device: str = "auto", precision: str = "auto") -> Sampler:
    """What makes pictures from noise, from a run's or a model's folder: `s(s.draw(64, seed=7))`.

    Args:
        device, precision: as for `load`.

    Raises:
        TranslateError: there is no model, it is damaged, or it makes pictures from pictures.
    """
    return Sampler(Model.from_pretrained(model), device=device, precision=precision)


def train(
    recipe: str, *, resume: bool = False, overwrite: bool = False, **settings: Any
) -> Translator | Sampler:
    """Train a recipe to its end, and load what came of it.

    Pictures are loaded by worker processes: in a script, call it below `if __name__ == "__main__":`.

    Args:
        recipe: `pix2pix`, `cyclegan`, ... (see `translate.recipes`).
        resume: go on with the run in `out`.
        overwrite: replace the run in `out`.
        settings: the fields of the recipe's config, as `data="photos"`, `batch_size=4`.

    Raises:
        TranslateError: a setting or the data cannot be used, or the disk is full.
        KeyboardInterrupt: it was stopped; the run is saved and can be resumed.
    """
    # Not above: applying a model needs neither albumentations nor the loop.
    from translate.config import explicit
    from translate.engine.session import Session
    from translate.recipes import find_recipe

    given = explicit(find_recipe(recipe).config, settings, environ=os.environ)
    session = Session(recipe, given, resume=resume, overwrite=overwrite)
    if not session.train():
        raise KeyboardInterrupt
    made = Model.from_pretrained(session.run.folder)
    return Sampler(made) if made.config.noise else Translator(made)
