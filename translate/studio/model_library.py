"""The models that the studio offers, of which those used last are held in memory."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from translate.config import ModelConfig, MultiDomainModelConfig
from translate.errors import TranslateError, UsageError
from translate.inference import PREDICTORS, Sampler, VolumeSampler, load_sampler
from translate.models import Model, installed_models, locate_model, path_argument, read_model_config
from translate.training.runs.folder import Run
from translate.training.runs.status import find_runs
from translate.web.hosted import HostedModel

MAX_LOADED = 2  # Models held in memory.
CARD = "README.md"


@dataclass(frozen=True)
class ListedModel:
    """A model that the studio offers.

    Attributes:
        path: the folder of a model or a run, or the name of an installed model; the studio shows it.
        config: the content of its `config.json`.
    """

    path: str
    config: ModelConfig

    @property
    def about(self) -> str:
        """Return a few words on what the model does."""
        c = self.config
        if self.path in installed_models():
            return (installed_models()[self.path] / CARD).read_text(encoding="utf-8").split("\n\n")[1]
        if isinstance(c, MultiDomainModelConfig):
            does = f"to {', '.join(c.domains)}"
        elif c.kind in PREDICTORS:
            does = ", ".join(f"{name}: {route.source} to {route.target}" for name, route in c.routes.items())
        else:
            does = "from noise"
        steps, images = c.trained_on.get("steps"), c.trained_on.get("pictures")
        trained = f"; trained for {steps} steps on {images}" if steps and images else ""
        return f"{c.method}, {does}{trained}"


class ModelLibrary:
    """The models that the studio offers, and the folder of the runs that it shows.

    Args:
        paths: the models that the user named; none: the installed ones, and those of all runs.
        runs: the folder of the runs.
        device, precision: as for `load_predictor`.
    """

    def __init__(
        self, paths: Sequence[str], runs: Path, *, device: str = "auto", precision: str = "auto"
    ) -> None:
        self.runs, self.paths = runs, paths
        self.device, self.precision = device, precision
        self.started: list[Path] = []  # The runs that the studio has started.
        self._loaded: OrderedDict[tuple[str, float], HostedModel | Sampler | VolumeSampler] = OrderedDict()
        for path in paths:
            read_model_config(path)  # A wrong path is an error of the command.

    def list_models(self, kinds: Collection[str]) -> list[ListedModel]:
        """Return the models of some kinds that can be read, the user's or the installed ones first."""
        models = []
        for path in self._find_paths():
            try:
                config = read_model_config(path)
            except TranslateError:  # A run has no model yet, or it is damaged, which the tab of runs shows.
                continue
            if config.kind in kinds:
                models.append(ListedModel(path, config))
        return models

    def find(self, path: str | None, kinds: Collection[str]) -> ListedModel:
        """Return the listed model of a path.

        Raises:
            UsageError: it is not one of those that the studio offers.
        """
        for model in self.list_models(kinds):
            if model.path == path:
                return model
        raise UsageError(f"no model {path!r} in the list: choose another, or train one")

    def load_images(self, model: ListedModel) -> HostedModel:
        """Load a model that turns images into images."""
        loaded = self._load(model.path)
        assert isinstance(loaded, HostedModel)
        return loaded

    def load_sampler(self, model: ListedModel) -> Sampler | VolumeSampler:
        """Load a model that generates from noise."""
        loaded = self._load(model.path)
        assert not isinstance(loaded, HostedModel)
        return loaded

    def list_runs(self) -> list[Path]:
        """Return the folders of the runs: those in the folder of runs, or those that the user named."""
        if not self.paths:
            return find_runs(self.runs)
        named = [Path(path) for path in self.paths if Run(Path(path)).config.is_file()]
        return list(dict.fromkeys([*named, *self.started]))

    def _find_paths(self) -> list[str]:
        if not self.paths:
            runs = [path_argument(folder) for folder in self.list_runs()]
            return [*installed_models(), *(each for run in runs for each in (run, *_best_model(run)))]
        return [each for path in self.paths for each in (path, *_best_model(path))]

    def _load(self, path: str) -> HostedModel | Sampler | VolumeSampler:
        """Return a model, from memory unless its files have changed."""
        key = (path, _changed(locate_model(path)))
        if key not in self._loaded:
            if read_model_config(path).kind in PREDICTORS:
                loaded: HostedModel | Sampler | VolumeSampler = HostedModel(
                    path, device=self.device, precision=self.precision
                )
            else:
                model = Model.from_pretrained(path)
                loaded = load_sampler(model, device=self.device, precision=self.precision)
            self._loaded[key] = loaded
        self._loaded.move_to_end(key)
        while len(self._loaded) > MAX_LOADED:
            self._loaded.popitem(last=False)
        return self._loaded[key]


def _best_model(path: str) -> list[str]:
    """Return the path of the best model of a run; of other folders, none."""
    best = Run(Path(path)).best_model
    return [str(best)] if best.is_dir() else []


def _changed(folder: Path) -> float:
    """Return when the weights of a model were written."""
    files = [folder / "model.safetensors", folder / "model" / "model.safetensors"]
    return max((file.stat().st_mtime for file in files if file.exists()), default=0.0)
