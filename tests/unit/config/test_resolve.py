"""Where a setting comes from, and YAML there and back."""

from __future__ import annotations

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


@pytest.fixture
def yaml(tmp_path: Path):
    def write(name: str, text: str) -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_each_source_is_stronger_than_the_one_before(yaml) -> None:
    one = yaml("one.yaml", "recipe: pix2pix\nseed: 1\nbatch_size: 1\nepochs: 1\nlr: 1e-1\n")
    two = yaml("two.yaml", "seed: 2\nbatch_size: 2\nepochs: 2\n")
    environ = {"TRANSLATE_SEED": "3", "TRANSLATE_BATCH_SIZE": "3", "PATH": "/bin"}
    values = collect_settings(Pix2PixConfig, {"seed": "4"}, files=(one, two), environ=environ)
    assert values == {"seed": "4", "batch_size": "3", "epochs": 2, "lr": "1e-1"}
    config = Pix2PixConfig(**values)
    assert (config.seed, config.batch_size, config.epochs, config.lr) == (4, 3, 2, 0.1)
    assert config.ngf == 64


def test_what_nobody_said_is_not_explicit() -> None:
    assert collect_settings(Pix2PixConfig, {}) == {}


def test_the_environment_of_the_tests_is_no_setting() -> None:
    assert collect_settings(Pix2PixConfig, {}, environ={"TRANSLATE_TEST_DATA": "/data"}) == {}


@pytest.mark.parametrize("recipe", METHODS)
def test_unknown_names_are_refused_wherever_they_stand(recipe: str, yaml) -> None:
    kind = METHODS[recipe].config_class()
    with pytest.raises(UsageError, match=r"TRANSLATE_.*'bach_size'; did you mean 'batch_size'\?"):
        collect_settings(kind, {}, environ={"TRANSLATE_BACH_SIZE": "2"})
    with pytest.raises(UsageError, match=r"a\.yaml: .*'epoch'; did you mean 'epochs'\?"):
        collect_settings(kind, {}, files=(yaml("a.yaml", "epoch: 2\n"),))
    with pytest.raises(UsageError, match=r"'ngff'; did you mean 'ngf'\?"):
        collect_settings(kind, {"ngff": 2})


def test_an_empty_file_says_nothing(yaml) -> None:
    assert load_yaml(yaml("empty.yaml", "# nothing\n")) == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- lr\n- 3\n", "holds a list; write settings as 'name: value' lines"),
        ("just words\n", "holds a str"),
        ("lr: [1\n", "is not YAML"),
        ("a: !!python/object/apply:os.getcwd []\n", "is not YAML"),
    ],
)
def test_a_file_that_holds_no_settings_is_refused_in_one_line(text: str, reason: str, yaml) -> None:
    with pytest.raises(UsageError, match=reason) as refusal:
        load_yaml(yaml("bad.yaml", text))
    assert "bad.yaml" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"data: caf\xe9\n")
    with pytest.raises(UsageError, match="is not YAML"):
        load_yaml(tmp_path / "latin.yaml")


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.yaml': No such file"):
        load_yaml(tmp_path / "none.yaml")


CHANGES: list[dict[str, Any]] = [
    {},
    {"lr": 1e-5, "compile": "off", "flip": False, "steps": 7, "clip_grad": 0.5},
    {"compile": "on", "out": "runs/a: b # c", "data": "on", "domain_a": "1", "domain_b": "null"},
]


@pytest.mark.parametrize("changes", CHANGES)
@pytest.mark.parametrize("recipe", METHODS)
def test_a_config_comes_back_from_its_yaml(recipe: str, changes: dict[str, Any], yaml) -> None:
    kind = METHODS[recipe].config_class()
    known = {field.name for field in setting_fields(kind)}
    config = kind(**{name: value for name, value in changes.items() if name in known})
    values = load_yaml(yaml("config.yaml", dump_yaml(config, recipe)))
    assert values.pop("recipe") == recipe
    assert type(config)(**values) == config


@example("photos\u3000", 0.5, 2e-4)  # ends in a blank that str.strip would take
@example("a " * 60, 0.5, 2e-4)  # longer than a line of YAML
@given(st.text(st.characters(exclude_categories=["Cs"])), st.floats(0, 1), st.floats(0, exclude_min=True))
def test_any_name_and_number_comes_back_from_yaml(name: str, decay: float, lr: float) -> None:
    config = Pix2PixConfig(data=name, lr_decay=decay, lr=min(lr, 1e300))
    with TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        path.write_text(dump_yaml(config, "pix2pix"), encoding="utf-8")
        values = load_yaml(path)
    del values["recipe"]
    assert Pix2PixConfig(**values) == config
