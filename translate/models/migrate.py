"""Migrate the `config.json` of older model formats to the current one. No other module knows the old keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from translate.config.model import BASE_SIDE, FORMAT_VERSION
from translate.errors import UsageError, nearest
from translate.networks import generator_spec

WORKING_SIZE = 256  # The default of colorization models of format 1, in pixels.
# The keys of format 1, which had no `format_version`, and their defaults.
FORMAT_1: dict[str, Any] = {
    "recipe": "",
    "version": "",
    "generator": {},
    "directions": ["AtoB"],
    "color": "RGB",
    "mask": False,
    "working_size": None,
    "saturation": 1.0,
    "noise": 0,
    "classes": [],
    "categories": 0,
    "codes": 0,
    "value_range": "-1..1",
    "size_multiple": 4,
    "statistics": "picture",
    "dropout_when_applied": "off",
    "trained_on": {},
}
FORMAT_1_GENERATOR: dict[str, Any] = {
    "name": "resnet",
    "in_channels": 3,
    "out_channels": 3,
    "width": 64,
    "depth": 9,
    "norm": "instance",
    "dropout": False,
    "upsample": "deconv",
}
FORMAT_2_DATA_RANGE = [0.0, 1.0]
FORMAT_1_PAIRED = {"pix2pix": True, "cyclegan": False}  # By recipe.


def migrate_config(values: Mapping[str, Any]) -> dict[str, Any]:
    """Migrate the content of a `config.json` of any format to the current one.

    Raises:
        UsageError: the format is newer than this package, or a key is not part of the format.
    """
    if "format_version" not in values:
        return _from_format_1(values)
    version = values["format_version"]
    if type(version) is not int or version < 2:
        raise UsageError(
            f"format_version is {version!r}, but must be 2 or {FORMAT_VERSION} (format 1 has no such key):"
            " remove the key, or export the model again"
        )
    if version > FORMAT_VERSION:
        raise UsageError(
            f"format_version is {version}, but this version reads up to {FORMAT_VERSION}:"
            " use a newer version of translate"
        )
    return _from_format_2(values) if version == 2 else dict(values)


def _from_format_2(old: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config without `data_range`, which was the same for all models and domains."""
    new = {**old, "format_version": FORMAT_VERSION}
    if (data_range := new.pop("data_range", FORMAT_2_DATA_RANGE)) != FORMAT_2_DATA_RANGE:
        raise UsageError(f"data_range is {data_range!r}, but must be {FORMAT_2_DATA_RANGE} in format 2")
    return new


def _from_format_1(values: Mapping[str, Any]) -> dict[str, Any]:
    old = _with_defaults(values, FORMAT_1)
    directions = old["directions"]
    are_names = isinstance(directions, list) and all(isinstance(name, str) and name for name in directions)
    if not are_names or not directions:
        raise UsageError(f"directions is {directions!r}, but must be a list of at least one name")
    generator = _with_defaults(old["generator"], FORMAT_1_GENERATOR)
    spec = generator_spec(generator["name"], generator)
    return {
        "method": old["recipe"],
        "version": old["version"],
        "generator": spec.to_dict(),
        "in_channels": generator["in_channels"],
        "out_channels": generator["out_channels"],
        "color": old["color"],
        "value_range": old["value_range"],
        "size_multiple": old["size_multiple"],
        "statistics": old["statistics"],
        "trained_on": old["trained_on"],
        **_kind_of_format_1(old, generator),
    }


def _kind_of_format_1(old: Mapping[str, Any], generator: Mapping[str, Any]) -> dict[str, Any]:
    """Return the kind of a model, its domains and routes, and the settings that only this kind has.

    Weights keep their names: a generator is named after its direction in format 1, also in models that have
    only one.
    """
    first = old["directions"][0]
    if old["noise"]:
        labels = {name: old[name] for name in ("classes", "categories", "codes")}
        size = BASE_SIDE * 2 ** generator["depth"]
        routes = _one_route("sample", None, "image", first)
        return {"kind": "generation", **routes, "latent": old["noise"], "image_size": size, **labels}
    if old["mask"]:
        return {"kind": "inpainting", **_one_route("inpaint", "holes", "photo", first)}
    if old["color"] == "Lab":
        settings = {"working_size": old["working_size"] or WORKING_SIZE, "saturation": old["saturation"]}
        return {"kind": "colorization", **_one_route("colorize", "gray", "color", first), **settings}
    routes = {
        "routes": {
            name: {"source": name[0], "target": name[-1], "generator": name} for name in old["directions"]
        }
    }
    paired = FORMAT_1_PAIRED.get(old["recipe"])
    return {"kind": "translation", "domains": ["A", "B"], **routes, "paired": paired}


def _one_route(name: str, source: str | None, target: str, generator: str) -> dict[str, Any]:
    return {
        "domains": [domain for domain in (source, target) if domain],
        "routes": {name: {"source": source, "target": target, "generator": generator}},
    }


def _with_defaults(values: Any, defaults: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise UsageError(f"generator is {values!r}, but must be a mapping of names to values")
    for name in values:
        if name not in defaults:
            raise UsageError(f"unknown setting {name!r}{nearest(str(name), defaults)}")
    return {**defaults, **values}
