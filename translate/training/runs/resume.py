"""Resume a run: the checkpoint it continues from, the settings that may differ, and the place of its data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from translate.config import (
    TrainConfig,
    check_values,
    flag_name,
    load_yaml,
    merge_settings,
    setting_fields,
)
from translate.data.discovery.location import DATASETS
from translate.errors import DataError, UsageError
from translate.training.runs import checkpoint
from translate.training.runs.checkpoint import DamagedCheckpointError
from translate.training.runs.folder import UNRECORDED, Run

DAMAGED_SUFFIX = ".damaged"


@dataclass(frozen=True)
class ResumePoint:
    """The checkpoint that a run continues from.

    Attributes:
        path: the file of the checkpoint; None if the run has none yet.
        settings: the settings that the run was trained with; empty if the checkpoint does not hold them.
        fingerprint: the fingerprint of the dataset that the run was trained on.
        damaged: the newer checkpoints, which cannot be read, with the reason.
    """

    path: Path | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""
    damaged: Mapping[Path, str] = field(default_factory=dict)

    def set_aside_damaged(self) -> list[str]:
        """Rename the damaged checkpoints, so that they do not count as the newest; return log lines."""
        for path in self.damaged:
            path.rename(path.with_name(path.name + DAMAGED_SUFFIX))
        return [
            f"checkpoint {path.stem} cannot be read ({reason}): resuming from {self.path.stem}"
            f" (the damaged file is now {path.name}{DAMAGED_SUFFIX})"
            for path, reason in self.damaged.items()
            if self.path
        ]


def find_resume_point(run: Run) -> ResumePoint:
    """Return the newest checkpoint of a run that can be read.

    Raises:
        DataError: the run has checkpoints, but none can be read.
    """
    damaged: dict[Path, str] = {}
    for path in reversed(run.checkpoints().values()):
        try:
            state = checkpoint.load(path)
        except DamagedCheckpointError as error:
            damaged[path] = error.reason
            continue
        return ResumePoint(path, state.get("settings", {}), state["data"], damaged)
    if damaged:
        reasons = "; ".join(f"{path.name}: {reason}" for path, reason in damaged.items())
        raise DataError(
            f"no checkpoint of {run.folder} can be read ({reasons}): restore one from a backup, or start a"
            f" new run from its model with --init {run.folder} and another --out"
        )
    return ResumePoint()


def resume_config(
    config_class: type[TrainConfig],
    run: Run,
    recipe: str,
    given: Mapping[str, Any],
    trained: Mapping[str, Any],
) -> tuple[TrainConfig, list[str]]:
    """Return the config of a resumed run, and a log line on what has changed, if anything.

    The run's config.yaml, which people edit, overrules what the run was trained with; the settings that are
    given now overrule both. Only settings that are `resumable` may change.

    Args:
        given: the settings that the user gave this time.
        trained: the settings that the checkpoint holds; if it holds none, those of config.yaml.

    Raises:
        UsageError: the run has another recipe, config.yaml is wrong, or a setting must not change.
    """
    stored = load_yaml(run.config)
    if (run_recipe := stored.pop("recipe", None)) != recipe:
        raise UsageError(
            f"{run.folder} is a run of {run_recipe}, not of {recipe}:"
            f" resume it with translate train {run_recipe}, or give another --out"
        )
    check_values(config_class, stored, str(run.config))
    known = {each.name for each in setting_fields(config_class)}
    trained = {name: value for name, value in trained.items() if name in known}
    unrecorded = {name: value for name, value in UNRECORDED.items() if name in known}
    try:
        in_file = config_class(**merge_settings(unrecorded | trained, stored))
    except UsageError as error:
        raise UsageError(f"{run.config}: {error}") from None
    now = config_class(**{**merge_settings(in_file.to_dict(), given), "out": given.get("out")})
    return now, _list_changes(run, trained or in_file.to_dict(), in_file, now)


def _list_changes(run: Run, before: Mapping[str, Any], in_file: TrainConfig, now: TrainConfig) -> list[str]:
    """Return a log line on the settings that have changed, if any.

    Raises:
        UsageError: a setting must not change.
    """
    changes: dict[str, list[str]] = {}  # By what asks for them.
    for each in setting_fields(type(now)):
        new = getattr(now, each.name)
        old = before.get(each.name, new)
        if old == new or each.name == "out":
            continue
        is_given = new != getattr(in_file, each.name)
        if not each.metadata["resumable"]:
            raise UsageError(_refusal(run, each.name, old, new, flag_name(each) if is_given else ""))
        source = "as given now" if is_given else f"as {run.config.name} says"
        changes.setdefault(source, []).append(f"{each.name} {_text(old)} -> {_text(new)}")
    line = "; ".join(f"{', '.join(texts)}, {source}" for source, texts in changes.items())
    return [line] if line else []


def _refusal(run: Run, name: str, old: Any, new: Any, flag: str) -> str:
    """Return the error for a setting that must not change; `flag` is empty if config.yaml changes it."""
    if flag:
        return (
            f"{name} is {json.dumps(new)}, but {json.dumps(old)} in {run.folder}, and --resume cannot change"
            f" it: leave {flag} out, or start a new run with another --out"
        )
    return (
        f"{name} is {json.dumps(new)} in {run.config}, but the run was trained with {json.dumps(old)}: put"
        f" {json.dumps(old)} back, or start a new run with another --out, from these weights with"
        f" --init {run.folder}"
    )


def _text(value: Any) -> str:
    return "none" if value is None else str(value)


def check_fingerprint(config: TrainConfig, run: Run, found: str, trained: str) -> None:
    """Refuse a dataset that is not the one that the run was trained on, by their fingerprints.

    Raises:
        DataError: the datasets differ.
    """
    if found == trained:
        return
    now, then = found.partition(",")[0], trained.partition(",")[0]
    other = f"{now} instead of {then}" if now != then else f"{now}, as before, with other names or subsets"
    raise DataError(
        f"the images in {config.data_source} are not those that {run.folder} was trained on: {other}"
        f" (fingerprint {found}; trained on {trained}): restore them, or give their place with"
        f" {_place_flags(config, _places(config))}, or start a new run with --init {run.folder} and another"
        " --out"
    )


def describe_missing_data(config: TrainConfig, run: Run, given: Mapping[str, Any]) -> str:
    """Return the error for data that are no longer where the run found them; empty if they are there.

    Args:
        given: the settings that the user gave this time; a place among them is not that of the run.
    """
    places = {name: place for name, place in _places(config).items() if name not in given and _is_gone(place)}
    if not places:
        return ""
    is_relative = any(not Path(place).is_absolute() for place in places.values())
    hint = f" (relative paths start at the current folder, {Path.cwd()})" if is_relative else ""
    return (
        f"the data of {run.folder}, {' and '.join(places.values())}, is not there{hint}: give its new place"
        f" with {_place_flags(config, places)}"
    )


def _places(config: TrainConfig) -> dict[str, str]:
    """Return the paths of the dataset by their settings, without those that are not set."""
    places = {}
    for each in setting_fields(type(config)):
        is_place = each.metadata["group"] == "data" and each.metadata["metavar"] in ("DIR", "FILE")
        if is_place and (place := getattr(config, each.name)) is not None:
            places[each.name] = place
    return places


def _place_flags(config: TrainConfig, places: Mapping[str, str]) -> str:
    """Return the flags that give places: `--domainA DIR and --domainB DIR`."""
    flags = [
        f"{flag_name(each)} {each.metadata['metavar']}"
        for each in setting_fields(type(config))
        if each.name in places
    ]
    return " and ".join(flags)


def _is_gone(place: str) -> bool:
    """Return whether a local path does not exist, or is empty, as the mount point of a disk may be."""
    if "://" in place:
        return False
    # The tar files of a pattern lie in its folder.
    path = Path(place).parent if set(place) & set("*?[{") else Path(place)
    existing = next((each for each in (path, DATASETS / path) if each.exists()), None)
    return existing is None or (existing.is_dir() and not any(existing.iterdir()))
