"""Resolve the value of each setting from defaults, YAML files, the environment and flags: the later wins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from translate.config.schema import Config, check_values, reject_unknown, setting_fields
from translate.errors import UsageError

ENVIRONMENT_PREFIX = "TRANSLATE_"
TEST_PREFIX = (
    "TRANSLATE_TEST_"  # Variables with this prefix are for the tests of this package, and no settings.
)
CACHE_FOLDER = "TRANSLATE_CACHE"  # The variable for the cache folder, which is no setting either.
RUN_LENGTHS = ("epochs", "steps", "minutes")  # The settings of which one sets the length of a run.
DOMAINS = ("domain_a", "domain_b")  # The settings that give the dataset instead of `data`.


def collect_settings(
    config_class: type[Config],
    flags: Mapping[str, Any],
    *,
    files: tuple[Path, ...] = (),
    environ: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return the settings that a user gave, by name; of several sources, the strongest wins.

    Args:
        flags: values from the command line or Python, the strongest source.
        files: YAML files, each stronger than the one before it.
        environ: the environment, where `TRANSLATE_BATCH_SIZE=4` sets `batch_size`.

    Raises:
        UsageError: a setting is unknown, or a file cannot be read.
    """
    values: dict[str, Any] = {}
    for file in files:
        from_file = {name: value for name, value in load_yaml(file).items() if name != "recipe"}
        check_values(config_class, from_file, str(file))
        values = merge_settings(values, from_file)
    values = merge_settings(values, _from_environment(config_class, environ or {}))
    reject_unknown(config_class, flags, "")
    return merge_settings(values, flags)


def merge_settings(values: Mapping[str, Any], stronger: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings, overruled by stronger ones.

    A stronger length of the run replaces any other length: `steps` overrules `epochs` of a weaker source.
    Likewise `data` overrules both domains of a weaker source, and a domain overrules `data`.
    """
    replaced = set(RUN_LENGTHS if any(name in stronger for name in RUN_LENGTHS) else ())
    if stronger.get("data") is not None:
        replaced |= set(DOMAINS)
    if any(stronger.get(name) is not None for name in DOMAINS):
        replaced.add("data")
    return {name: value for name, value in values.items() if name not in replaced} | dict(stronger)


def _from_environment(config_class: type[Config], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the settings in variables `TRANSLATE_*` of the environment."""
    values = {}
    for variable, text in environ.items():
        is_reserved = variable.startswith(TEST_PREFIX) or variable == CACHE_FOLDER
        if variable.startswith(ENVIRONMENT_PREFIX) and not is_reserved:
            name = variable.removeprefix(ENVIRONMENT_PREFIX).lower()
            check_values(config_class, {name: text}, f"environment variable {variable}")
            values[name] = text
    return values


def load_yaml(path: Path) -> dict[str, Any]:
    """Read a YAML file of settings.

    Raises:
        UsageError: the file is missing, is not YAML, or is not a mapping of settings to values.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read the config {str(path)!r}: {error.strerror}: check the path") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{path}, line {mark.line + 1}" if mark else str(path)
        reason = " ".join(str(getattr(error, "problem", None) or error).split())
        raise UsageError(f"{place}: not YAML ({reason}): write 'name: value' lines") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UsageError(f"{path} holds a {type(content).__name__}: write 'name: value' lines")
    return content


def dump_yaml(config: Config, recipe: str) -> str:
    """Return a resolved config as YAML, each setting with its help line as a comment."""
    import yaml

    lines = [f"recipe: {recipe}"]
    for field in setting_fields(type(config)):
        value = yaml.safe_dump({field.name: getattr(config, field.name)}, allow_unicode=True).strip("\n")
        lines.append(f"{value}  # {field.metadata['help']}")
    return "\n".join(lines) + "\n"
