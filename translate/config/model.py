"""The content of a model's `config.json`, which differs by the kind of the model."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from translate.config.schema import Config, from_mapping, setting
from translate.errors import UsageError, nearest

FORMAT_VERSION = 2
NORMS = ("batch", "instance", "none")
UPSAMPLINGS = ("deconv", "resize")
BASE_SIDE = 4  # pixels a side from which generators from noise grow an image; `depth` counts the doublings


@dataclasses.dataclass(kw_only=True)
class GeneratorSpec(Config):
    """A generator's name, and the arguments of its constructor, which checks them."""

    name: str = setting("resnet", "architecture")
    args: dict[str, Any] = dataclasses.field(default_factory=dict)

    def check(self) -> None:
        _mapping("args", self.args)


@dataclasses.dataclass(kw_only=True)
class Route(Config):
    """A way from one domain to another, and which of the model's generators goes it."""

    source: str | None = setting(None, "domain of the input; none: it is noise, or of any domain")
    target: str = setting("", "domain of the output")
    generator: str = setting("", "name of the generator, as in model.safetensors")


@dataclasses.dataclass(kw_only=True)
class TrainingScale(Config):
    """The scale at which a model saw its training images."""

    preprocess: str = setting("", "how an image became a crop")
    resize_to: int | None = setting(None, "side before the crop, in pixels; none: the image's own", low=1)
    crop: int = setting(256, "side of the square crop, in pixels", low=1)


@dataclasses.dataclass(kw_only=True)
class ModelConfig(Config):
    """A model's own account of itself; applying it needs nothing else.

    Kinds that need more to be applied have a class of their own, in `KINDS`.
    """

    format_version: int = setting(FORMAT_VERSION, "of config.json and model.safetensors")
    kind: str = setting("translation", "what the model does, which decides how it is applied")
    method: str = setting("", "method that trained it")
    version: str = setting("", "version of translate that wrote it")
    generator: GeneratorSpec = dataclasses.field(default_factory=GeneratorSpec)
    domains: list[str] = dataclasses.field(default_factory=lambda: ["A", "B"])
    routes: dict[str, Route] = dataclasses.field(
        default_factory=lambda: {"AtoB": Route(source="A", target="B", generator="AtoB")}
    )
    in_channels: int = setting(3, "channels of the network's input", low=1, high=8192)
    out_channels: int = setting(3, "channels of the network's output", low=1, high=64)
    color: str = setting("RGB", "colour space of input and output", choices=("RGB", "Lab"))
    value_range: str = setting("-1..1", "what the network calls black and white", choices=("-1..1",))
    data_range: list[float] = dataclasses.field(default_factory=lambda: [0.0, 1.0])  # of full white
    size_multiple: int = setting(4, "each side must be a multiple of this, in pixels", low=1, high=4096)
    statistics: str = setting(
        "picture",
        "what a batch norm uses when applied: the image's own statistics or the training run's",
        choices=("picture", "running"),
    )
    paired: bool | None = setting(None, "whether it was trained on pairs; none: not known")
    scale: TrainingScale | None = None
    trained_on: dict[str, Any] = dataclasses.field(default_factory=dict)

    def check(self) -> None:
        _check_names("domains", self.domains)
        _check_range("data_range", self.data_range)
        if not self.routes:
            raise UsageError("routes is empty, but must name one route or more")
        for name, route in self.routes.items():
            if not route.generator.isidentifier():
                raise UsageError(f"route {name!r}: generator {route.generator!r} is no name")
            for domain in (route.target, route.source or route.target):
                if domain not in self.domains:
                    raise UsageError(f"route {name!r}: no domain {domain!r}{nearest(domain, self.domains)}")

    @property
    def generator_names(self) -> list[str]:
        """The names of the generators that the routes take, each once."""
        return list(dict.fromkeys(route.generator for route in self.routes.values()))


@dataclasses.dataclass(kw_only=True)
class ColorizationModelConfig(ModelConfig):
    """A model that gives the a and b of Lab for its L."""

    working_size: int = setting(
        256, "shorter side to which an image is scaled for the network, in pixels", low=1
    )
    saturation: float = setting(1.0, "factor of a and b with which the model does best", low=0)


@dataclasses.dataclass(kw_only=True)
class GenerationModelConfig(ModelConfig):
    """A model whose input is noise, then what is asked for, in this order."""

    image_size: int = setting(64, "side of the images that it makes, in pixels", low=1, high=65536)
    latent: int = setting(100, "numbers of N(0, 1) noise", low=1)
    classes: list[str] = dataclasses.field(default_factory=list)  # one-hot after the noise
    categories: int = setting(0, "values of the categorical code: one-hot after the classes", low=0)
    codes: int = setting(0, "continuous codes, in [-1, 1], last", low=0)

    def check(self) -> None:
        super().check()
        _check_names("classes", self.classes)


KINDS: dict[str, type[ModelConfig]] = {
    "translation": ModelConfig,
    "inpainting": ModelConfig,
    "colorization": ColorizationModelConfig,
    "generation": GenerationModelConfig,
}


def parse_model_config(values: Mapping[str, Any]) -> ModelConfig:
    """Build a model's config from the content of a `config.json` of this format.

    Raises:
        UsageError: the kind or a key is unknown, or a value is out of its range.
    """
    kind = values.get("kind")
    if type(kind) is not str or kind not in KINDS:
        raise UsageError(f"no kind {kind!r} of model{nearest(str(kind), KINDS)}")
    routes = _mapping("routes", values.get("routes"))
    nested: dict[str, Any] = {
        "generator": from_mapping(GeneratorSpec, _mapping("generator", values.get("generator")), "generator"),
        "routes": {
            name: from_mapping(Route, _mapping(f"route {name!r}", route), f"routes, {name}")
            for name, route in routes.items()
        },
        "trained_on": _mapping("trained_on", values.get("trained_on", {})),
    }
    if values.get("scale") is not None:
        nested["scale"] = from_mapping(TrainingScale, _mapping("scale", values["scale"]), "scale")
    return from_mapping(KINDS[kind], {**values, **nested}, "model")


def _mapping(field: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(f"{field} is {value!r}, but must be a mapping of names to values")
    return value


def _check_names(field: str, names: Any) -> None:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UsageError(f"{field} is {names!r}, but must be a list of names")


def _check_range(field: str, numbers: Any) -> None:
    """Refuse what is not two numbers, the lower one first."""
    plain = isinstance(numbers, list) and len(numbers) == 2 and all(type(n) in (int, float) for n in numbers)
    if not plain or not -math.inf < numbers[0] < numbers[1] < math.inf:
        raise UsageError(f"{field} is {numbers!r}, but must be two numbers, the lower one first")
