"""The predictors and samplers by kind of model, and the functions that create the one for a model."""

from __future__ import annotations

from typing import Any

from translate.config import PredictorOptions, accepts, from_mapping
from translate.config.targets import check_target
from translate.errors import UsageError
from translate.inference.predictors.base import Predictor
from translate.inference.predictors.colorization import ColorizationPredictor
from translate.inference.predictors.generation import Sampler
from translate.inference.predictors.inpainting import InpaintingPredictor
from translate.inference.predictors.translation import MultiDomainPredictor, TranslationPredictor
from translate.inference.predictors.volumes.sampler import VolumeSampler
from translate.inference.runtime.runner import Runner
from translate.models import Model

PREDICTORS: dict[str, type[Predictor]] = {
    "translation": TranslationPredictor,
    "colorization": ColorizationPredictor,
    "inpainting": InpaintingPredictor,
    "multidomain": MultiDomainPredictor,
}
SAMPLERS: dict[str, type[Sampler] | type[VolumeSampler]] = {
    "generation": Sampler,
    "volume": VolumeSampler,
}


def load_sampler(model: Model, *, device: str = "auto", precision: str = "auto") -> Sampler | VolumeSampler:
    """Return a sampler of a model that generates from noise.

    Raises:
        UsageError: the model translates images, or this machine lacks the device or the precision.
    """
    if model.config.kind not in SAMPLERS:
        raise UsageError("this model translates images and takes no noise: use translate apply")
    return SAMPLERS[model.config.kind](model, device=device, precision=precision)


@accepts(PredictorOptions)
def load_predictor(model: Model, **options: Any) -> Predictor:
    """Return a predictor that applies a model to images.

    For a model of several domains, `to` is the default of the predictor's `for_target` and `by_folder`.

    Args:
        {options}

    Raises:
        UsageError: the model generates from noise, has no such direction or target, or an option does
            not fit the model or this machine.
    """
    o = from_mapping(PredictorOptions, options, "options")
    if model.config.kind not in PREDICTORS:
        raise UsageError("this model generates from noise and takes no images: use translate sample")
    predictor = PREDICTORS[model.config.kind]
    # Check all options before choosing an engine, which can take seconds.
    check_target(model.config, o.direction, o.to)
    predictor.check_channels(model.config)
    predictor.check_saturation(o.saturation)
    predictor.choose_size(model.config, o.size, o.tile)
    predictor.choose_ranges(model.config, model.direction(o.direction), o.range)
    engine = predictor.auto_engine if o.engine == "auto" else o.engine
    runner = Runner(
        model, o.direction, device=o.device, precision=o.precision, engine=engine, compile=o.compile
    )
    loaded = predictor(
        model,
        runner,
        tile=o.tile,
        saturation=o.saturation,
        alpha=o.alpha,
        size=o.size,
        value_range=o.range,
    )
    return loaded.with_default(o.to) if isinstance(loaded, MultiDomainPredictor) else loaded
