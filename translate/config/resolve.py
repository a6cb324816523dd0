"""Where a setting's value comes from: field < recipe YAML < --config < environment < flag."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from translate.config.schema import Config, refuse_unknown, setting_fields
from translate.errors import UsageError

PREFIX = "TRANSLATE_"
LENGTHS = ("epochs", "steps", "minutes")  # of a run: one of them counts


def collect_settings(
    kind: type[Config],
    flags: Mapping[str, Any],
    *,
    files: tuple[Path, ...] = (),
    environ: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """The settings that a person gave, by name, the strongest source winning; the rest is default.

    Args:
        flags: values given on the command line or in Python; the strongest.
        files: YAML files, each stronger than the one before.
        environ: the environment; `TRANSLATE_BATCH_SIZE=4` sets `batch_size`.

    Raises:
        UsageError: an unknown name, or a file that cannot be read.
    """
    values: dict[str, Any] = {}
    for file in files:
        layer = {name: value for name, value in load_yaml(file).items() if name != "recipe"}
        refuse_unknown(kind, layer, str(file))
        values = merge_settings(values, layer)
    values = merge_settings(values, _from_environment(kind, environ or {}))
    refuse_unknown(kind, flags, "settings")
    return merge_settings(values, flags)


def merge_settings(values: Mapping[str, Any], stronger: Mapping[str, Any]) -> dict[str, Any]:
    """Values with stronger ones over them; a stronger length takes the place of any other length."""
    gone = LENGTHS if any(name in stronger for name in LENGTHS) else ()
    return {name: value for name, value in values.items() if name not in gone} | dict(stronger)


def _from_environment(kind: type[Config], environ: Mapping[str, str]) -> dict[str, str]:
    """`TRANSLATE_*` of the environment; `TRANSLATE_TEST_*` and `TRANSLATE_CACHE` are no settings."""
    values = {
        name.removeprefix(PREFIX).lower(): text
        for name, text in environ.items()
        if name.startswith(PREFIX) and not name.startswith((PREFIX + "TEST_", PREFIX + "CACHE"))
    }
    refuse_unknown(kind, values, f"environment ({PREFIX}...)")
    return values


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file of settings.

    Raises:
        UsageError: the file is missing, is no YAML, or holds something other than settings.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the config {str(path)!r}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise UsageError(f"{path} is not YAML: {reason}") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds a {type(content).__name__}; write settings as 'name: value' lines")
    return content


def dump_yaml(config: Config, recipe: str) -> str:
    """The resolved config as YAML, each setting with its help line."""
    import yaml

    lines = [f"recipe: {recipe}"]
    for field in setting_fields(type(config)):
        value = yaml.safe_dump({field.name: getattr(config, field.name)}, allow_unicode=True).strip("\n")
        lines.append(f"{value}  # {field.metadata['help']}")
    return "\n".join(lines) + "\n"
