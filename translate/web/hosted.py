"""A model that is held in memory, and applied to one image after the other with options of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from translate.config import FolderOptions, ModelConfig, MultiDomainModelConfig
from translate.errors import UsageError
from translate.inference import (
    PREDICTORS,
    Outcome,
    Predictor,
    load_predictor,
    translate_file,
    translate_folder,
)
from translate.models import Model
from translate.progress import Progress, ignore_progress
from translate.web.options import ImageOptions


class HostedModel:
    """A model that turns images into images, with a predictor for each of its directions.

    Attributes:
        name: the name by which it is asked for: that of an installed model, or of its folder.
        config: the content of the model's `config.json`.

    Raises:
        TranslateError: there is no such model, it is damaged, or it generates from noise.
    """

    def __init__(self, path: str, *, device: str = "auto", precision: str = "auto") -> None:
        self.name = Path(path).resolve().name
        model = Model.from_pretrained(path)
        self.config: ModelConfig = model.config
        if model.config.kind not in PREDICTORS:
            raise UsageError(f"{path} generates from noise, and takes no images: use translate sample")
        several = isinstance(model.config, MultiDomainModelConfig)
        self._predictors = {
            direction: load_predictor(
                model, direction=None if several else direction, device=device, precision=precision
            )
            for direction in ([""] if several else model.config.routes)
        }

    @property
    def directions(self) -> list[str]:
        """Return the names of the directions, the default first; none for a model of several domains."""
        return [name for name in self._predictors if name]

    @property
    def targets(self) -> list[str]:
        """Return the domains or attributes of a model of several domains; none for another model."""
        return list(self.config.domains) if isinstance(self.config, MultiDomainModelConfig) else []

    @property
    def needs_mask(self) -> bool:
        """Return whether the model fills a hole, which a mask or the transparency of an image marks."""
        return self._default.needs_mask

    @property
    def _default(self) -> Predictor:
        return next(iter(self._predictors.values()))

    def predictor(self, options: ImageOptions) -> Predictor:
        """Return the predictor for these options.

        Raises:
            UsageError: an option does not fit the model.
        """
        o = options
        names = self.directions
        if o.direction is not None and o.direction not in names:
            rule = (
                f"has {' and '.join(names)}" if names else f"takes a target (to): {', '.join(self.targets)}"
            )
            raise UsageError(f"direction {o.direction!r}: {self.name} {rule}")
        base = self._predictors[o.direction] if o.direction else self._default
        return base.with_options(saturation=o.saturation, alpha=o.alpha, size=o.size).for_target(o.to)

    def translate(
        self,
        source: Path,
        out: Path,
        options: ImageOptions,
        *,
        mask: Path | None = None,
        max_megapixels: float,
        progress: Progress = ignore_progress,
    ) -> Outcome:
        """Translate one file, and write what `translate apply` would write.

        Args:
            out: the folder to write to.
            progress: as for `translate_file`.

        Raises:
            UsageError: an option does not fit the model, or it takes no mask.
        """
        file_options = _file_options(options, mask=str(mask) if mask else None, max_megapixels=max_megapixels)
        return translate_file(self.predictor(options), source, out, file_options, progress=progress)

    def translate_folder(
        self,
        folder: Path,
        out: Path,
        options: ImageOptions,
        *,
        mask: Path | None = None,
        progress: Progress = ignore_progress,
    ) -> Iterator[Outcome]:
        """Translate a folder as `translate apply` does, and yield the outcome of each file.

        Args:
            out, mask, progress: as for `translate`.

        Raises:
            UsageError: as for `translate`.
        """
        file_options = _file_options(options, mask=str(mask) if mask else None)
        return translate_folder(
            self.predictor(options), [folder], out, progress=progress, **file_options.to_dict()
        )


def _file_options(o: ImageOptions, **others: Any) -> FolderOptions:
    """Return the options of reading and writing files."""
    return FolderOptions(
        format=o.format,
        keep_metadata=o.keep_metadata,
        half=o.half,
        invert=o.invert,
        dilate=o.dilate,
        workers=0,
        **others,
    )


def load_models(
    paths: Iterable[str], *, device: str = "auto", precision: str = "auto"
) -> dict[str, HostedModel]:
    """Load models by name.

    Raises:
        TranslateError: two models have the same name, or one cannot be loaded.
    """
    models: dict[str, HostedModel] = {}
    for path in paths:
        model = HostedModel(path, device=device, precision=precision)
        if model.name in models:
            raise UsageError(f"two models are named {model.name!r}: give one of their folders another name")
        models[model.name] = model
    return models
