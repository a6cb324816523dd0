"""The tab that generates images and volumes from noise."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import gradio as gr

from translate.config import Config, GenerationModelConfig, ModelConfig, setting
from translate.images import image_grid, read_rgb
from translate.inference import SAMPLERS, Sampler, VolumeSampler
from translate.inference.predictors import gallery
from translate.inference.predictors.generation import traversals
from translate.inference.predictors.volumes.gallery import save_volumes
from translate.progress import listening
from translate.studio.components import (
    MESSAGE_HEIGHT,
    ProgressReporter,
    Update,
    message_html,
    on,
    setting_inputs,
)
from translate.studio.model_library import ModelLibrary
from translate.studio.tabs.model_choice import NO_MODEL, ModelChoice

GRID, SINGLE, WALK, CODES, STYLES = "grid", "single images", "walk", "codes", "mixed styles"
ALL_CLASSES = "all in turn"
MAX_SHOWN = 64  # Images of a preview.
MAX_STYLES = 8  # Images a side of mixed styles.
TRAVERSAL_ROWS = 8


@dataclass(kw_only=True)
class SampleOptions(Config):
    """The settings of generating samples: their number, and the seed of their noise."""

    count: int = setting(16, "number of samples", low=1, high=256)
    seed: int = setting(0, "seed of the noise", low=0, high=2**32 - 1)


@dataclass(frozen=True)
class Saved:
    """The files of generated samples.

    Attributes:
        summary: a line about it.
        out: the file, or the folder of the files.
        picture: an image of it, if `out` holds none.
    """

    summary: str
    out: Path
    picture: Path | None = None

    def download(self) -> Path:
        """Return the file to download: an archive, if it is a folder."""
        return Path(shutil.make_archive(str(self.out), "zip", self.out)) if self.out.is_dir() else self.out

    def preview(self) -> Any:
        """Return an image for the page: an animation as it is, and of several images a grid."""
        if self.out.is_file() or self.picture:
            return str(self.picture or self.out)
        images = [read_rgb(path) for path in sorted(self.out.glob("*.png"))[:MAX_SHOWN]]
        return image_grid(images, ceil(sqrt(len(images))))


def remove_folder(folder: Path | None) -> None:
    """Remove the files of a visitor who has gone."""
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


class GenerateTab:
    """The tab of models that generate from noise; it offers what the kind of the model can do."""

    def __init__(self, library: ModelLibrary) -> None:
        self.models = library
        with gr.Tab("Generate") as self.tab, gr.Row():
            with gr.Column(scale=2, min_width=320):
                self.choice = ModelChoice(library, list(SAMPLERS))
                self.result = gr.Radio([GRID, SINGLE], value=GRID, label="Result", interactive=True)
                self.options = setting_inputs(SampleOptions, ["count", "seed"])
                self.class_name = gr.Dropdown(label="Class", visible=False, interactive=True)
                self.truncates = gr.Checkbox(False, label="Truncate: less variety for better images")
                self.truncation = gr.Slider(0.1, 2, value=0.7, step=0.05, label="Truncation", visible=False)
                self.start = gr.Button("Generate", variant="primary")
            with gr.Column(scale=3, min_width=320):
                self.message = gr.HTML(elem_classes="messages", min_height=MESSAGE_HEIGHT)
                self.image = gr.Image(
                    label="Preview", interactive=False, buttons=["fullscreen"], visible=False
                )
                self.file = gr.DownloadButton("Download", visible=False, variant="primary")
                self.folder = gr.State(delete_callback=remove_folder)
        self._connect()

    def _connect(self) -> None:
        model = self.choice.model
        described = [self.choice.about, self.result, self.class_name, self.truncates, self.truncation]
        on(model.change, self._describe, [model], described, self.message, quiet=True)
        on(
            self.truncates.change,
            self._show_truncation,
            [self.truncates],
            [self.truncation],
            self.message,
            quiet=True,
        )
        inputs = [model, self.folder, self.result, *self.options.values(), self.class_name]
        on(
            self.start.click,
            self._generate,
            [*inputs, self.truncates, self.truncation],
            [self.image, self.file, self.folder],
            self.message,
            uses_device=True,
            show_progress_on=self.message,
        )

    def _describe(self, path: str | None) -> Iterator[Update]:
        if path is None:
            yield {self.choice.about: NO_MODEL}
            return
        model = self.choice.find(path)
        classes = getattr(model.config, "classes", [])
        is_image = isinstance(model.config, GenerationModelConfig)
        yield {
            self.choice.about: model.about,
            self.result: gr.Radio(possible_results(model.config), value=GRID),
            self.class_name: gr.Dropdown(
                [ALL_CLASSES, *classes], value=ALL_CLASSES, visible=len(classes) > 0
            ),
            self.truncates: gr.Checkbox(False, visible=is_image),
            self.truncation: gr.Slider(visible=False),
        }

    def _show_truncation(self, truncates: bool) -> Iterator[Update]:
        yield {self.truncation: gr.Slider(visible=truncates)}

    def _generate(
        self,
        path: str | None,
        before: Path | None,
        result: str,
        count: float | None,
        seed: float | None,
        class_name: str | None,
        truncates: bool,
        truncation: float,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> Iterator[Update]:
        model = self.choice.find(path)
        options = SampleOptions(count=count, seed=seed)  # type: ignore[arg-type]
        remove_folder(before)
        yield {
            self.image: gr.Image(value=None, visible=False),
            self.file: gr.DownloadButton(visible=False),
            self.folder: None,
        }
        progress(0, desc=f"loading {model.path}")
        sampler = self.models.load_sampler(model)
        folder = Path(tempfile.mkdtemp(prefix="translate-studio-"))

        given = {
            "truncation": truncation if truncates else None,
            "class_name": class_name if class_name != ALL_CLASSES else None,
        }
        with listening(ProgressReporter(progress)):
            if isinstance(sampler, VolumeSampler):
                saved = _save_volumes(sampler, result, options, folder)
            else:
                saved = _save_images(sampler, result, options, folder, given)
        file = saved.download()
        yield {
            self.message: message_html(saved.summary.replace(f"{folder}/", "")),
            self.image: gr.Image(value=saved.preview(), visible=True),
            self.file: gr.DownloadButton(f"Download {file.name}", value=str(file), visible=True),
            self.folder: folder,
        }


def possible_results(config: ModelConfig) -> list[str]:
    """Return what a model of this kind can generate."""
    if not isinstance(config, GenerationModelConfig):
        return [GRID, SINGLE]
    codes = [CODES] if config.categories or config.codes else []
    return [GRID, SINGLE, WALK, *codes, *([STYLES] if config.styles else [])]


def _save_images(
    sampler: Sampler, result: str, options: SampleOptions, folder: Path, given: dict[str, Any]
) -> Saved:
    """Write images as `translate sample` does."""
    count, seed = options.count, options.seed
    if result == CODES:
        out = folder / "codes"
        grids = traversals(sampler.config, TRAVERSAL_ROWS, seed)
        return Saved(gallery.save_traversals(sampler, grids, out, overwrite=True), out)
    if result == WALK:
        out = folder / "walk.webp"
        inputs = sampler.draw(max(2, count), seed, **given)
        return Saved(gallery.save_interpolation(sampler, inputs, out, overwrite=True), out)
    if result == STYLES:
        out, side = folder / "styles.png", max(1, min(MAX_STYLES, round(count**0.5)))
        inputs = sampler.draw(2 * side, seed, **given)
        return Saved(gallery.save_mix(sampler, inputs[:side], inputs[side:], out, overwrite=True), out)
    out = folder / ("grid.png" if result == GRID else "samples")
    return Saved(gallery.save_samples(sampler, sampler.draw(count, seed, **given), out, overwrite=True), out)


def _save_volumes(sampler: VolumeSampler, result: str, options: SampleOptions, folder: Path) -> Saved:
    """Write a grid of pictures of volumes, and unless that is all, their voxels and meshes."""
    noise, grid, samples = sampler.draw(options.count, options.seed), folder / "grid.png", folder / "samples"
    saved = Saved(save_volumes(sampler, noise, grid, overwrite=True), grid)
    if result == GRID:
        return saved
    return Saved(save_volumes(sampler, noise, samples, overwrite=True), samples, grid)
