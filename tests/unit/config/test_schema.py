"""Settings: conversion of values, checks, error messages, and the functions that take them as options."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import pytest

from translate.config import (
    Config,
    ImageTrainConfig,
    accepts,
    flag_name,
    from_mapping,
    setting,
    setting_fields,
    with_default,
)
from translate.errors import UsageError
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.registry import METHODS


@pytest.mark.parametrize(
    ("name", "value", "converted"),
    [
        ("lr", "2e-4", 2e-4),
        ("lr", 1, 1.0),
        ("batch_size", "4", 4),
        ("batch_size", 4.0, 4),
        ("steps", None, None),
        ("steps", "300", 300),
        ("minutes", "1.5", 1.5),
        ("flip", "yes", True),
        ("flip", "No", False),
        ("flip", "0", False),
        ("flip", 1, True),
        ("compile", True, "on"),  # YAML 1.1 reads the words `on` and `off` as booleans.
        ("compile", False, "off"),
        ("data", 64, "64"),  # YAML reads the name of a folder as a number.
    ],
)
def test_a_value_is_converted_to_the_type_of_the_setting(name: str, value: Any, converted: Any) -> None:
    result = getattr(Pix2PixConfig(**{name: value}), name)
    assert result == converted
    assert type(result) is type(converted)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("batch_size", "four", "a whole number"),
        ("batch_size", 2.5, "a whole number"),
        ("batch_size", "2.5", "a whole number"),
        ("batch_size", True, "a whole number"),
        ("batch_size", None, "a whole number"),
        ("batch_size", [1], "a whole number"),
        ("lr", "fast", "a number"),
        ("lr", "nan", "a number"),
        ("lr", "inf", "a number"),
        ("lr", False, "a number"),
        ("flip", "maybe", "true or false"),
        ("flip", None, "true or false"),
        ("direction", None, "a string"),
        ("direction", ["AtoB"], "a string"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(name: str, value: Any, rule: str) -> None:
    with pytest.raises(UsageError, match=name) as error:
        Pix2PixConfig(**{name: value})
    assert repr(value) in str(error.value)
    assert rule in str(error.value)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("batch_size", 0, "from 1 to 4096"),
        ("batch_size", 4097, "from 1 to 4096"),
        ("lr", -1e-4, "at least 0"),
        ("epochs", 0, "at least 1"),
        ("beta1", 1, "from 0 to 0.9999"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(name: str, value: float, rule: str) -> None:
    with pytest.raises(UsageError, match=f"^{name} .*{value}.*{rule}$"):
        Pix2PixConfig(**{name: value})


@pytest.mark.parametrize(("name", "end"), [("batch_size", 1), ("batch_size", 4096), ("lr_decay", 1.0)])
def test_both_ends_of_a_range_are_allowed(name: str, end: float) -> None:
    assert getattr(Pix2PixConfig(**{name: end}), name) == end


def test_a_wrong_choice_is_refused_with_the_nearest_choice() -> None:
    with pytest.raises(UsageError, match=r"gan_loss .*'lsgann'.*'lsgan'"):
        Pix2PixConfig(gan_loss="lsgann")


def test_a_choice_that_resembles_no_other_is_refused_with_all_choices() -> None:
    with pytest.raises(UsageError, match=r"norm .*'q'.*batch, instance, instance-affine, none"):
        Pix2PixConfig(norm="q")


def test_an_unknown_setting_is_refused_with_the_nearest_one_and_the_source() -> None:
    with pytest.raises(UsageError, match=r"my\.yaml: .*'epoch'.*'epochs'"):
        from_mapping(Pix2PixConfig, {"epoch": 3}, "my.yaml")


def test_a_setting_of_another_recipe_is_unknown() -> None:
    with pytest.raises(UsageError, match="'lambda_a'"):
        from_mapping(Pix2PixConfig, {"lambda_a": 3}, "my.yaml")


@pytest.mark.parametrize("recipe", METHODS)
def test_every_setting_has_a_help_line_and_its_own_flag(recipe: str) -> None:
    fields = setting_fields(METHODS[recipe].config_class())
    assert all(field.metadata["help"] and "\n" not in field.metadata["help"] for field in fields)
    assert len({flag_name(field) for field in fields}) == len(fields)


@pytest.mark.parametrize("recipe", METHODS)
def test_every_default_is_an_allowed_value(recipe: str) -> None:
    kind = METHODS[recipe].config_class()
    assert kind(**{field.name: field.default for field in setting_fields(kind)}) == kind()


def test_a_copy_with_changes_is_checked_and_leaves_the_original() -> None:
    config = Pix2PixConfig()
    assert config.replace(batch_size="8").batch_size == 8
    assert config.batch_size == 1
    with pytest.raises(UsageError, match="batch_size"):
        config.replace(batch_size=0)


def test_flags_are_named_after_the_settings() -> None:
    flags = {field.name: flag_name(field) for field in setting_fields(CycleGANConfig)}
    assert flags["batch_size"] == "--batch-size"
    assert flags["domain_a"] == "--domainA"


def test_a_subclass_changes_the_default_of_a_setting_and_keeps_its_checks() -> None:
    @dataclasses.dataclass(kw_only=True)
    class Changed(ImageTrainConfig):
        batch_size: int = with_default(ImageTrainConfig, "batch_size", 16)
        norm: str = with_default(ImageTrainConfig, "norm", "none", choices=("none", "batch"))

    assert (Changed().batch_size, Changed().norm) == (16, "none")
    assert (ImageTrainConfig().batch_size, ImageTrainConfig().norm) == (1, "instance")
    with pytest.raises(UsageError, match="from 1 to 4096"):
        Changed(batch_size=0)
    with pytest.raises(UsageError, match=r"norm .*'instance'.*none, batch"):
        Changed(norm="instance")
    fields = {field.name: field for field in setting_fields(Changed)}
    assert fields["batch_size"].metadata["help"] == "images in a batch, of each domain"


@dataclasses.dataclass(kw_only=True)
class Options(Config):
    size: int = setting(3, "side of the image", low=1, high=8)
    mode: str = setting("fast", "how to do it", choices=("fast", "exact"))


@accepts(Options)
def resize(path: str, *, dry_run: bool = False, **options: Any) -> Options:
    """Resize an image.

    Args:
        dry_run: change nothing.
        {options}

    Raises:
        UsageError: an option is not allowed.
    """
    return from_mapping(Options, options, "options")


def test_a_function_that_accepts_options_lists_them_in_its_signature_and_docstring() -> None:
    signature = str(inspect.signature(resize))
    assert signature.startswith(
        "(path: 'str', *, dry_run: 'bool' = False, size: 'int' = 3, mode: 'str' = 'fast')"
    )
    lines = [line.strip() for line in inspect.getdoc(resize).splitlines()]  # type: ignore[union-attr]
    start = lines.index("Args:")
    assert lines[start + 1 : start + 5] == [
        "dry_run: change nothing.",
        "size: side of the image (from 1 to 8)",
        "mode: how to do it (fast|exact)",
        "",
    ]
    assert resize("a.png", size="4") == Options(size=4)
    with pytest.raises(UsageError, match=r"options: .*'modes'.*'mode'"):
        resize("a.png", modes="exact")
