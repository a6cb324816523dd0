"""What a setting accepts, what it refuses, and what it says then."""

from __future__ import annotations

from typing import Any

import pytest

from translate.config import flag_name, from_mapping, setting_fields
from translate.errors import UsageError
from translate.methods.cyclegan.config import CycleGANConfig
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.registry import METHODS


@pytest.mark.parametrize(
    ("name", "given", "value"),
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
        ("compile", True, "on"),  # YAML 1.1 reads the words on and off as booleans
        ("compile", False, "off"),
        ("data", 64, "64"),  # a folder may be called by a number
    ],
)
def test_a_value_becomes_the_settings_type(name: str, given: Any, value: Any) -> None:
    converted = getattr(Pix2PixConfig(**{name: given}), name)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("name", "given", "rule"),
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
        ("direction", None, "a word"),
        ("direction", ["AtoB"], "a word"),
    ],
)
def test_a_value_of_another_type_is_refused(name: str, given: Any, rule: str) -> None:
    with pytest.raises(UsageError) as refusal:
        Pix2PixConfig(**{name: given})
    assert str(refusal.value) == f"{name} is {given!r}, but must be {rule}"


@pytest.mark.parametrize(
    ("name", "given", "rule"),
    [
        ("batch_size", 0, "from 1 to 4096"),
        ("batch_size", 4097, "from 1 to 4096"),
        ("lr", -1e-4, "at least 0"),
        ("epochs", 0, "at least 1"),
        ("beta1", 1, "from 0 to 0.9999"),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(name: str, given: float, rule: str) -> None:
    with pytest.raises(UsageError, match=f"^{name} is {given}.*, but must be {rule}$"):
        Pix2PixConfig(**{name: given})


@pytest.mark.parametrize(("name", "end"), [("batch_size", 1), ("batch_size", 4096), ("lr_decay", 1.0)])
def test_both_ends_of_a_range_belong_to_it(name: str, end: float) -> None:
    assert getattr(Pix2PixConfig(**{name: end}), name) == end


def test_a_word_that_is_no_choice_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"^gan_loss is 'lsgann'; did you mean 'lsgan'\?$"):
        Pix2PixConfig(gan_loss="lsgann")


def test_a_word_far_from_every_choice_is_refused_with_all_choices() -> None:
    with pytest.raises(UsageError, match=r"^norm is 'q'; there is batch, instance, none$"):
        Pix2PixConfig(norm="q")


def test_an_unknown_name_is_refused_with_the_nearest_and_its_source() -> None:
    with pytest.raises(UsageError, match=r"^my\.yaml: unknown setting 'epoch'; did you mean 'epochs'\?$"):
        from_mapping(Pix2PixConfig, {"epoch": 3}, "my.yaml")


def test_a_setting_of_another_recipe_is_unknown() -> None:
    with pytest.raises(UsageError, match="unknown setting 'lambda_a'"):
        from_mapping(Pix2PixConfig, {"lambda_a": 3}, "my.yaml")


@pytest.mark.parametrize("recipe", METHODS)
def test_each_setting_has_a_help_line_and_a_flag_of_its_own(recipe: str) -> None:
    fields = setting_fields(METHODS[recipe].config_class())
    assert all(field.metadata["help"] and "\n" not in field.metadata["help"] for field in fields)
    assert len({flag_name(field) for field in fields}) == len(fields)


@pytest.mark.parametrize("recipe", METHODS)
def test_each_setting_may_be_given_its_own_default(recipe: str) -> None:
    kind = METHODS[recipe].config_class()
    assert kind(**{field.name: field.default for field in setting_fields(kind)}) == kind()


def test_a_copy_with_changes_is_checked_too() -> None:
    config = Pix2PixConfig()
    assert config.replace(batch_size="8").batch_size == 8
    assert config.batch_size == 1
    with pytest.raises(UsageError, match="batch_size"):
        config.replace(batch_size=0)


def test_flags_are_named_after_the_settings() -> None:
    flags = {field.name: flag_name(field) for field in setting_fields(CycleGANConfig)}
    assert flags["batch_size"] == "--batch-size"
    assert flags["domain_a"] == "--domainA"
