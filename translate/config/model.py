"""The content of a model's `config.json`, which depends on the kind of the model."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from translate.config.schema import Config, from_mapping, setting, with_default
from translate.config.value_range import ValueRange
from translate.errors import UsageError, nearest

FORMAT_VERSION = 3
NORMS = ("batch", "instance", "instance-affine", "none")
DOWNSAMPLINGS = ("strided", "blur")
UPSAMPLINGS = ("deconv", "resize", "blur")
ALL_DOMAINS = "all"  # As a target: each domain in turn.
NO_ATTRIBUTES = "none"  # As a target: no attribute is on.
BASE_SIDE = 4  # Pixels a side of the first feature map of a generator from noise; each level doubles it.


@dataclasses.dataclass(kw_only=True)
class GeneratorSpec(Config):
    """The architecture of a generator by name, and the arguments of its constructor, which checks them."""

    name: str = setting("resnet", "architecture")
    args: dict[str, Any] = dataclasses.field(default_factory=dict)

    def check(self) -> None:
        _mapping("args", self.args)


@dataclasses.dataclass(kw_only=True)
class Route(Config):
    """A translation from one domain to another, and the generator that does it."""

    source: str | None = setting(None, "domain of the input; none: noise, or any domain")
    target: str = setting("", "domain of the output")
    generator: str = setting("", "name of the generator, as in model.safetensors")


@dataclasses.dataclass(kw_only=True)
class TrainingScale(Config):
    """The sizes of the images and crops that a model was trained on."""

    preprocess: str = setting("", "how an image became a training crop")
    resize_to: int | None = setting(None, "side before the crop, in pixels; none: not resized", low=1)
    crop: int = setting(256, "side of the square crop, in pixels", low=1)

    @property
    def working_size(self) -> int | None:
        """Return the shorter side of a training image before its crop; None if images had various sizes."""
        # A random resized crop takes a quarter of an image or more, so some crops are whole images.
        return self.crop if self.preprocess == "random_resized_crop" else self.resize_to


@dataclasses.dataclass(kw_only=True)
class ModelConfig(Config):
    """The description of a model: all that applying it needs besides the weights.

    A kind of model that needs more settings has a class of its own in `MODEL_CONFIGS`.
    """

    format_version: int = setting(FORMAT_VERSION, "version of the format of the model folder")
    kind: str = setting("translation", "what the model does, and so which predictor applies it")
    method: str = setting("", "method that trained the model")
    version: str = setting("", "version of translate that wrote the model")
    generator: GeneratorSpec = dataclasses.field(default_factory=GeneratorSpec)
    domains: list[str] = dataclasses.field(default_factory=lambda: ["A", "B"])
    routes: dict[str, Route] = dataclasses.field(
        default_factory=lambda: {"AtoB": Route(source="A", target="B", generator="AtoB")}
    )
    in_channels: int = setting(3, "channels of the network's input", low=1, high=8192)
    out_channels: int = setting(3, "channels of the network's output", low=1, high=64)
    color: str = setting("RGB", "colour space of input and output", choices=("RGB", "Lab"))
    value_range: str = setting(
        "-1..1", "values of black and white in the network's input and output", choices=("-1..1",)
    )
    # The stored values of black and white, by domain, where the type of the training files did not fix them.
    data_range: dict[str, list[float]] = dataclasses.field(default_factory=dict)
    size_multiple: int = setting(4, "each side must be a multiple of this, in pixels", low=1, high=4096)
    statistics: str = setting(
        "picture",
        "statistics that batch norm uses in inference: each image's own, or the running ones of the training",
        choices=("picture", "running"),
    )
    paired: bool | None = setting(None, "whether the model was trained on pairs; none: unknown")
    scale: TrainingScale | None = None
    working_size: int | None = setting(
        None,
        "shorter side to which larger images are reduced for the network, in pixels; none: they are not",
        low=1,
    )
    trained_on: dict[str, Any] = dataclasses.field(default_factory=dict)

    def check(self) -> None:
        if self.kind in ("translation", "multidomain") and self.working_size is None and self.scale:
            self.working_size = self.scale.working_size
        _check_names("domains", self.domains)
        for domain, numbers in _mapping("data_range", self.data_range).items():
            if domain not in self.domains:
                raise UsageError(f"data_range: no domain {domain!r}{nearest(domain, self.domains)}")
            _check_range(f"data_range of {domain}", numbers)
        if not self.routes:
            raise UsageError("routes is empty, but must name at least one route")
        for name, route in self.routes.items():
            if not route.generator.isidentifier():
                raise UsageError(f"route {name!r}: generator is {route.generator!r}, but must be a name")
            for domain in (route.target, route.source or route.target):
                if domain not in self.domains:
                    raise UsageError(f"route {name!r}: no domain {domain!r}{nearest(domain, self.domains)}")

    def value_range_of(self, domain: str | None) -> ValueRange | None:
        """Return the stored values of black and white of a domain; None if the type of a file fixes them."""
        numbers = self.data_range.get(domain or "")
        return ValueRange(*numbers) if numbers else None

    @property
    def training_settings(self) -> dict[str, Any]:
        """Return the settings of a run that trains such a model, besides those of its generator."""
        if self.kind != "translation":
            return {}
        return {"in_channels": self.in_channels, "out_channels": self.out_channels}

    @property
    def generator_names(self) -> list[str]:
        """Return the names of the generators that the routes use, each once."""
        return list(dict.fromkeys(route.generator for route in self.routes.values()))


@dataclasses.dataclass(kw_only=True)
class ColorizationModelConfig(ModelConfig):
    """The description of a model that predicts the a and b channels of Lab from L."""

    working_size: int | None = with_default(ModelConfig, "working_size", 256)
    saturation: float = setting(1.0, "factor of a and b with which the model scored best", low=0)


@dataclasses.dataclass(kw_only=True)
class GenerationModelConfig(ModelConfig):
    """The description of a model that generates images.

    Its input is noise, followed by the one-hot class, the one-hot category and the continuous codes.
    """

    image_size: int = setting(64, "side of the generated images, in pixels", low=1, high=65536)
    latent: int = setting(100, "size of the noise vector, which is N(0, 1)", low=1)
    classes: list[str] = dataclasses.field(default_factory=list)  # Empty: unconditional.
    categories: int = setting(0, "values of the categorical code of InfoGAN; 0: it has none", low=0)
    codes: int = setting(0, "continuous codes of InfoGAN, each in [-1, 1]", low=0)
    styles: int = setting(0, "layers that have a style w of their own (StyleGAN2); 0: there is no w", low=0)

    def check(self) -> None:
        super().check()
        _check_names("classes", self.classes)

    @property
    def training_settings(self) -> dict[str, Any]:
        return {"image_size": self.image_size, "latent": self.latent, "channels": self.out_channels}


@dataclasses.dataclass(kw_only=True)
class VolumeModelConfig(ModelConfig):
    """The description of a model that generates volumes: occupancy in [0, 1] from noise that is U(0, 1)."""

    color: str = with_default(ModelConfig, "color", "none", choices=("none",))
    value_range: str = with_default(
        ModelConfig, "value_range", "0..1", help="values of empty and of occupied voxels", choices=("0..1",)
    )
    volume_size: int = setting(64, "side of the generated volumes, in voxels", low=1, high=1024)
    latent: int = setting(200, "size of the noise vector", low=1, high=8192)

    @property
    def training_settings(self) -> dict[str, Any]:
        return {"image_size": self.volume_size, "latent": self.latent}


@dataclasses.dataclass(kw_only=True)
class MultiDomainModelConfig(ModelConfig):
    """The description of a model that translates an image of any domain to the domains of a label.

    The label has one entry for each domain, in the order of `domains`; there is one route to each.
    """

    exclusive: bool = setting(True, "whether an image has one domain at a time, or any number of attributes")

    def check(self) -> None:
        super().check()
        check_domain_names(self.domains)
        targets = {name: route.target for name, route in self.routes.items()}
        if targets != {name: name for name in self.domains}:
            raise UsageError(f"routes are {list(targets)}, but must lead to the domains {self.domains}")
        if len(self.generator_names) > 1:
            raise UsageError(f"the routes name the generators {self.generator_names}, but must share one")
        if (entries := self.generator.args.get("domains")) != len(self.domains):
            raise UsageError(
                f"argument 'domains' of the generator is {entries!r}, but there are {len(self.domains)} names"
            )

    @property
    def training_settings(self) -> dict[str, Any]:
        attributes = {} if self.exclusive else {"attributes": ",".join(self.domains)}
        return {"channels": self.in_channels, **attributes}


MODEL_CONFIGS: dict[str, type[ModelConfig]] = {  # by kind of model
    "translation": ModelConfig,
    "inpainting": ModelConfig,
    "colorization": ColorizationModelConfig,
    "generation": GenerationModelConfig,
    "multidomain": MultiDomainModelConfig,
    "volume": VolumeModelConfig,
}


def parse_model_config(values: Mapping[str, Any]) -> ModelConfig:
    """Return the model config that the content of a `config.json` describes.

    Raises:
        UsageError: the kind or a key is unknown, or a value is of the wrong type or out of range.
    """
    kind = values.get("kind")
    if type(kind) is not str or kind not in MODEL_CONFIGS:
        raise UsageError(f"kind is {kind!r}{nearest(str(kind), MODEL_CONFIGS)}")
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
    return from_mapping(MODEL_CONFIGS[kind], {**values, **nested}, "model")


def check_domain_names(names: Sequence[str]) -> None:
    """Refuse names that cannot be those of domains or attributes.

    A target is a name, or several separated by commas, and its translations are in a folder of that name.

    Raises:
        UsageError: a name is empty, reserved, has a separator, or is not unique.
    """
    for name in names:
        if not name.strip() or name != name.strip() or name.startswith(".") or not name.isprintable():
            raise UsageError(f"domain {name!r} is no name for a folder: rename it")
        if found := next((character for character in "/\\," if character in name), ""):
            raise UsageError(f"domain {name!r} has a {found!r}, which separates names: rename it")
        if name.lower() in (ALL_DOMAINS, NO_ATTRIBUTES):
            raise UsageError(f"domain {name!r} has the name of the target for {name.lower()}: rename it")
    if repeated := [name for name, count in Counter(map(str.casefold, names)).items() if count > 1]:
        raise UsageError(f"domain {repeated[0]!r} is there more than once: rename or merge them")


def _mapping(field: str, value: Any) -> dict[str, Any]:
    """Return a value that must be a mapping."""
    if not isinstance(value, dict):
        raise UsageError(f"{field} is {value!r}, but must be a mapping of names to values")
    return value


def _check_names(field: str, names: Any) -> None:
    """Refuse a value that is not a list of strings."""
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UsageError(f"{field} is {names!r}, but must be a list of names")


def _check_range(field: str, numbers: Any) -> None:
    """Refuse a value that is not a list of two finite numbers, the lower one first."""
    plain = isinstance(numbers, list) and len(numbers) == 2 and all(type(n) in (int, float) for n in numbers)
    if not plain or not -math.inf < numbers[0] < numbers[1] < math.inf:
        raise UsageError(f"{field} is {numbers!r}, but must be two numbers, the lower one first")
