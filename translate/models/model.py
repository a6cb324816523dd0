"""The model folder: generators in model.safetensors, and in config.json all that inference needs to know."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Self

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from translate.config import ModelConfig, parse_model_config
from translate.errors import DataError, TranslateError, UsageError
from translate.models.migrate import migrate_config
from translate.models.tensors import write_tensors
from translate.networks import Generator, create_generator
from translate.networks.blocks import BatchNorm
from translate.progress import message
from translate.storage import atomic_write
from translate.version import __version__

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"  # CARD is the model card.
INSTALLED = Path(__file__).parent / "installed"  # The folder of the models that come with the package.
RUN_MODEL_FOLDER = "model"  # The folder of a run's latest model, inside the run's folder.
RUN_CONFIG = "config.yaml"  # The settings of a run, by which its folder is recognized.
REMEDY = "copy or export the model again"


class Model(nn.Module):
    """Generators by name, in eval mode, with the config that describes them.

    Args:
        config: the content of `config.json`.
        generators: the generators that the config's routes refer to.
    """

    def __init__(self, config: ModelConfig, generators: Mapping[str, Generator]) -> None:
        super().__init__()
        self.config = config
        self.generators = nn.ModuleDict(dict(generators))
        for module in self.modules():
            if isinstance(module, BatchNorm):
                module.per_image = config.statistics == "picture"
        self.eval()

    def check_size_multiple(self, path: Path) -> None:
        """Check that the config's size multiple fits the generators.

        Args:
            path: the config's file, for the error message.

        Raises:
            DataError: a generator takes only multiples of another number.
        """
        for generator in self.generators.values():
            required = getattr(generator, "size_multiple", 1)
            if self.config.size_multiple % required:
                raise DataError(
                    f"{path} is not a valid model config: size_multiple is {self.config.size_multiple},"
                    f" but the generator takes multiples of {required}: {REMEDY}"
                )

    def direction(self, name: str | None = None) -> str:
        """Return the name of a route; by default, the model's first.

        Raises:
            UsageError: the model has no such direction.
        """
        names = list(self.config.routes)
        if name is not None and name not in names:
            raise UsageError(f"direction {name!r}: this model only has {' and '.join(names)}")
        return name or names[0]

    def generator(self, direction: str | None = None) -> Generator:
        """Return the generator of a route; by default, of the model's first.

        Raises:
            UsageError: the model has no such direction.
        """
        route = self.config.routes[self.direction(direction)]
        generator = self.generators[route.generator]
        assert isinstance(generator, Generator)
        return generator

    def fingerprint(self) -> str:
        """Return a hash of the weights and of the settings that inference uses; the same on any machine."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.generators.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.contiguous().cpu().numpy().tobytes())
        settings = {**self.config.to_dict(), "version": "", "scale": None, "trained_on": {}}
        digest.update(json.dumps(settings, sort_keys=True).encode())
        return digest.hexdigest()[:32]

    def save_pretrained(self, folder: Path | str) -> None:
        """Write `config.json` and `model.safetensors` to a folder, each of them atomically.

        Raises:
            TranslateError: the disk is full or the folder cannot be written.
        """
        folder = Path(folder)
        tensors = {name: tensor.contiguous().cpu() for name, tensor in self.generators.state_dict().items()}
        config = {**self.config.to_dict(), "version": __version__}
        try:
            write_tensors(folder / WEIGHTS, tensors)
            atomic_write(folder / CONFIG, (json.dumps(config, indent=2) + "\n").encode())
        except OSError as error:
            raise TranslateError(f"cannot write {folder}: {error.strerror}: give another folder") from None

    @classmethod
    def from_pretrained(cls, folder: Path | str) -> Self:
        """Load a model from a model folder, a run's folder, or the name of an installed model.

        Args:
            folder: as for `locate_model`.

        Raises:
            UsageError: the folder holds no model.
            DataError: the config or the weights are damaged, or do not fit each other.
        """
        folder = _model_folder(locate_model(folder))
        config = _read_config(folder / CONFIG)
        with torch.device("meta"):
            try:
                model = cls(
                    config, {name: create_generator(config.generator) for name in config.generator_names}
                )
            except Exception as error:  # Networks raise exceptions of many types for impossible arguments.
                raise DataError(f"{folder / CONFIG} is not a valid model config: {error}: {REMEDY}") from None
        model.check_size_multiple(folder / CONFIG)
        weights = _read_weights(folder / WEIGHTS)
        try:
            model.generators.load_state_dict(weights, assign=True)
        except RuntimeError as error:
            reason = str(error).splitlines()[1].strip()
            raise DataError(f"{folder / WEIGHTS} does not fit {CONFIG}: {reason}: {REMEDY}") from None
        return model.requires_grad_(False)


def read_model_config(folder: Path | str) -> ModelConfig:
    """Read the config of a model folder, a run's folder, or the name of an installed model.

    Raises:
        UsageError: the folder holds no model.
        DataError: the config is damaged.
    """
    return _read_config(_model_folder(locate_model(folder)) / CONFIG)


def installed_models() -> dict[str, Path]:
    """Return the folders of the models that come with the package, by name."""
    folders = INSTALLED.iterdir() if INSTALLED.is_dir() else ()
    return {folder.name: folder for folder in sorted(folders) if (folder / CONFIG).is_file()}


def locate_model(model: Path | str) -> Path:
    """Return the folder of an installed model for its name, and the path itself for anything else.

    The name of an installed model (`colorize`) always means that model, wherever the command runs. A run or
    a model in a folder of the same name is `./colorize`, or a `Path`; where there is one, a note says so.
    """
    name = str(model)
    if name not in installed_models() or (isinstance(model, Path) and model.exists()):
        return Path(model)
    if (Path(name) / RUN_CONFIG).is_file() or _holds_model(Path(name)):
        _log_ambiguity(name, Path.cwd())
    return installed_models()[name]


@cache
def _log_ambiguity(name: str, folder: Path) -> None:
    """Log, once for each working directory, that a name means the installed model."""
    message(f"{name} is the installed model: for the folder {name} here, give ./{name}")


def path_argument(folder: Path) -> str:
    """Return a path that is never taken for the name of an installed model: `./colorize`."""
    return f"./{folder}" if str(folder) in installed_models() else str(folder)


def load_installed_model(name: str) -> Model:
    """Load a model that comes with the package, whatever the working directory holds."""
    return Model.from_pretrained(installed_models()[name])


def _holds_model(folder: Path) -> bool:
    return (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file()


def _model_folder(folder: Path) -> Path:
    """Return the folder of the model's files for a model folder or a run's folder."""
    for candidate in (folder, folder / RUN_MODEL_FOLDER):
        if _holds_model(candidate):
            return candidate
    if (folder / RUN_CONFIG).is_file():
        raise UsageError(f"{folder} holds no model yet: a run writes it with its first checkpoint")
    if not folder.exists():
        raise UsageError(
            f"no model {str(folder)!r}: give a run, a model folder, or the name of an installed model"
            f" ({', '.join(installed_models())})"
        )
    raise UsageError(f"{folder} holds no model ({CONFIG} and {WEIGHTS}): give a run or a model folder")


def _read_config(path: Path) -> ModelConfig:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise UsageError("it is not a mapping of names to values")
        return parse_model_config(migrate_config(values))
    except (ValueError, OSError, TranslateError) as error:
        raise DataError(f"{path} is not a valid model config: {error}: {REMEDY}") from None
    except RecursionError:
        raise DataError(f"{path} is not a valid model config: it is nested too deeply: {REMEDY}") from None


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        weights: dict[str, Tensor] = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as error:
        raise DataError(f"{path} is damaged: {error}: {REMEDY}") from None
    for name, tensor in weights.items():
        if not tensor.isfinite().all():
            raise DataError(f"{path} has NaN or Inf in {name!r}: use an earlier checkpoint")
    return {name: t.float() if t.is_floating_point() else t for name, t in weights.items()}
