"""The sources of settings and their order, and settings in YAML files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from translate.config import collect_settings, dump_yaml, load_yaml, setting_fields
from translate.errors import UsageError
from translate.methods.pix2pix.config import Pix2PixConfig
from translate.methods.registry import METHODS

WriteYaml = Callable[[str, str], Path]


@pytest.fixture
def write_yaml(tmp_path: Path) -> WriteYaml:
    """A function that writes a YAML file of a name."""

    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_flags_overrule_the_environment_which_overrules_files(write_yaml: WriteYaml) -> None:
    first = write_yaml("first.yaml", "recipe: pix2pix\nseed: 1\nbatch_size: 1\nepochs: 1\nlr: 1e-1\n")
    second = write_yaml("second.yaml", "seed: 2\nbatch_size: 2\nepochs: 2\n")
    environ = {"TRANSLATE_SEED": "3", "TRANSLATE_BATCH_SIZE": "3", "PATH": "/bin"}
    values = collect_settings(Pix2PixConfig, {"seed": "4"}, files=(first, second), environ=environ)
    assert values == {"seed": "4", "batch_size": "3", "epochs": 2, "lr": "1e-1"}
    config = Pix2PixConfig(**values)
    assert (config.seed, config.batch_size, config.epochs, config.lr) == (4, 3, 2, 0.1)
    assert config.ngf == 64


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [({"epochs": 5}, {"minutes": 2}), ({"minutes": 2}, {"steps": 7}), ({"steps": 7}, {"epochs": 5})],
)
def test_a_length_of_the_run_replaces_any_other_length_of_a_weaker_source(
    weaker: dict[str, int], stronger: dict[str, int], write_yaml: WriteYaml
) -> None:
    ((name, value),) = weaker.items()
    file = write_yaml("weaker.yaml", f"{name}: {value}\nlr: 0.1\n")
    assert collect_settings(Pix2PixConfig, stronger, files=(file,)) == {"lr": 0.1, **stronger}


def test_defaults_are_left_out() -> None:
    assert collect_settings(Pix2PixConfig, {}) == {}


def test_the_variables_of_the_tests_and_of_the_cache_folder_are_no_settings() -> None:
    environ = {"TRANSLATE_TEST_DATA": "/data", "TRANSLATE_CACHE": "/cache"}
    assert collect_settings(Pix2PixConfig, {}, environ=environ) == {}


def test_the_size_of_the_cache_can_be_set_in_the_environment() -> None:
    assert collect_settings(Pix2PixConfig, {}, environ={"TRANSLATE_CACHE_SIZE": "0"}) == {"cache_size": "0"}


@pytest.mark.parametrize("recipe", METHODS)
def test_an_unknown_setting_is_refused_from_every_source(recipe: str, write_yaml: WriteYaml) -> None:
    kind = METHODS[recipe].config_class()
    with pytest.raises(
        UsageError, match=r"environment variable TRANSLATE_BACH_SIZE: .*'bach_size'.*'batch_size'"
    ):
        collect_settings(kind, {}, environ={"TRANSLATE_BACH_SIZE": "2"})
    with pytest.raises(UsageError, match=r"a\.yaml: .*'epoch'.*'epochs'"):
        collect_settings(kind, {}, files=(write_yaml("a.yaml", "epoch: 2\n"),))
    with pytest.raises(UsageError, match=r"^unknown setting 'sead'.*'seed'"):
        collect_settings(kind, {"sead": 2})


def test_an_empty_file_holds_no_settings(write_yaml: WriteYaml) -> None:
    assert load_yaml(write_yaml("empty.yaml", "# nothing\n")) == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- lr\n- 3\n", "list"),
        ("just words\n", "str"),
        ("lr: [1\n", "line 2: not YAML"),
        ("a: !!python/object/apply:os.getcwd []\n", "line 1: not YAML"),
    ],
)
def test_a_file_that_is_no_mapping_of_settings_is_refused_in_one_line(
    text: str, reason: str, write_yaml: WriteYaml
) -> None:
    with pytest.raises(UsageError, match=reason) as error:
        load_yaml(write_yaml("bad.yaml", text))
    assert "bad.yaml" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"data: caf\xe9\n")
    with pytest.raises(UsageError, match=r"latin\.yaml: not YAML"):
        load_yaml(tmp_path / "latin.yaml")


def test_a_missing_file_is_refused_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yaml': No such file"):
        load_yaml(tmp_path / "none.yaml")


CHANGES: list[dict[str, Any]] = [
    {},
    {"lr": 1e-5, "compile": "off", "flip": False, "steps": 7, "clip_grad": 0.5},
    {"compile": "on", "out": "runs/a: b # c", "data": "on", "domain_a": "1", "domain_b": "null"},
]


@pytest.mark.parametrize("changes", CHANGES)
@pytest.mark.parametrize("recipe", METHODS)
def test_a_config_survives_the_round_trip_through_yaml(
    recipe: str, changes: dict[str, Any], write_yaml: WriteYaml
) -> None:
    kind = METHODS[recipe].config_class()
    known = {field.name for field in setting_fields(kind)}
    config = kind(**{name: value for name, value in changes.items() if name in known})
    values = load_yaml(write_yaml("config.yaml", dump_yaml(config, recipe)))
    assert values.pop("recipe") == recipe
    assert type(config)(**values) == config


@example("photos\u3000", 0.5, 2e-4)  # ends in a space that str.strip would remove
@example("a " * 60, 0.5, 2e-4)  # longer than a line of YAML
@given(st.text(st.characters(exclude_categories=["Cs"])), st.floats(0, 1), st.floats(0, exclude_min=True))
def test_any_string_and_number_survives_the_round_trip_through_yaml(
    name: str, decay: float, lr: float
) -> None:
    config = Pix2PixConfig(data=name, lr_decay=decay, lr=min(lr, 1e300))
    with TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        path.write_text(dump_yaml(config, "pix2pix"), encoding="utf-8")
        values = load_yaml(path)
    del values["recipe"]
    assert Pix2PixConfig(**values) == config
