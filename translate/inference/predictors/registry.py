"""The predictors by kind of model, and how a model gets one."""

from __future__ import annotations

from translate.errors import UsageError
from translate.inference.predictors.base import Predictor
from translate.inference.predictors.colorization import ColorizationPredictor
from translate.inference.predictors.inpainting import InpaintingPredictor
from translate.inference.predictors.translation import TranslationPredictor
from translate.inference.runtime.runner import Runner
from translate.models import Model

PREDICTORS: dict[str, type[Predictor]] = {
    "translation": TranslationPredictor,
    "colorization": ColorizationPredictor,
    "inpainting": InpaintingPredictor,
}


def load_predictor(
    model: Model,
    *,
    direction: str | None = None,
    device: str = "auto",
    precision: str = "auto",
    engine: str = "auto",
    tile: str | int = "auto",
    compile: bool = False,
    saturation: float = 1.0,
) -> Predictor:
    """Return the predictor of a model's kind, ready to be applied to images.

    Args:
        direction: the name of a route, by default the model's first.
        device: `auto`, `cpu`, `cuda`, `cuda:1` or `mps`.
        precision: `auto`, `fp32`, `bf16` or `fp16`.
        engine: `auto`, `torch`, `openvino` or `onnxruntime`.
        tile: `auto`, `off`, or the side of the tiles that an image is cut into, in pixels.
        compile: compile the network first, worth it for hundreds of images of one size.
        saturation: factor of the chroma, for a model that colours.

    Raises:
        UsageError: the model makes images from noise, does not go in that direction, or a setting does not
            fit the model or this machine.
    """
    if model.config.kind not in PREDICTORS:
        raise UsageError("this model makes images from noise, it translates none: use translate sample")
    predictor = PREDICTORS[model.config.kind]
    predictor.check_channels(model.config)  # before engines are measured, which takes seconds
    engine = predictor.auto_engine if engine == "auto" else engine
    runner = Runner(model, direction, device=device, precision=precision, engine=engine, compile=compile)
    return predictor(model, runner, tile=tile, saturation=saturation)
