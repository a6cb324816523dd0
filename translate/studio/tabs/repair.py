"""The tab that repairs a photo: paint over what is to be filled, or upload a mask."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from PIL import Image

from translate.config import from_mapping
from translate.errors import DataError, UsageError
from translate.images import read, read_size
from translate.studio.components import ProgressReporter, Update, Upload, image_files, on, setting_inputs
from translate.studio.model_library import ListedModel, ModelLibrary
from translate.studio.previews import preview
from translate.studio.results import Results, translate_uploads
from translate.studio.tabs.model_choice import NO_MODEL, ModelChoice
from translate.studio.tabs.result_view import ResultView
from translate.web.options import ImageOptions

BRUSH = "#ff2d87"  # A colour that is rare in photos.
BRUSH_SIZE = 16  # In pixels of the preview.
MASK_NAME = "mask.png"


class RepairTab:
    """The tab of inpainting models, which fill what a mask marks and keep the rest to the bit."""

    def __init__(self, library: ModelLibrary) -> None:
        self.models = library
        with gr.Tab("Repair") as self.tab, gr.Row():
            with gr.Column(scale=3, min_width=320):
                self.photo = image_files(label="Photo", file_count="single", height=140)
                self.editor = gr.ImageEditor(
                    label="Paint over what is to be filled",
                    type="pil",
                    sources=(),
                    layers=False,
                    transforms=(),
                    brush=gr.Brush(colors=[BRUSH], color_mode="fixed", default_size=BRUSH_SIZE),
                    buttons=["fullscreen"],
                    format="png",
                    visible=False,
                )
                self.mask = image_files(
                    label="Or a mask, white where to fill",
                    file_count="single",
                    height=140,
                )
                self.choice = ModelChoice(library, ["inpainting"])
                self.options = setting_inputs(ImageOptions, ["dilate", "invert"])
                with gr.Accordion("Files and size", open=False):
                    self.options |= setting_inputs(ImageOptions, ["format", "size", "keep_metadata"])
                self.start = gr.Button("Repair", variant="primary")
            with gr.Column(scale=3, min_width=320):
                self.view = ResultView()
        self.message = self.view.message
        self._connect()

    def _connect(self) -> None:
        message, model = self.message, self.choice.model
        on(self.photo.change, self._show_photo, [self.photo], [self.editor], message)
        on(model.change, self._describe, [model], [self.choice.about], message, quiet=True)
        job = on(
            self.start.click,
            self._repair,
            [self.photo, self.editor, self.mask, model, self.view.results, *self.options.values()],
            self.view.outputs,
            message,
            uses_device=True,
            show_progress_on=self.message,
        )
        self.view.stops(job)

    def _describe(self, path: str | None) -> Iterator[Update]:
        yield {self.choice.about: self.choice.find(path).about if path else NO_MODEL}

    def _show_photo(self, photo: Upload | None) -> Iterator[Update]:
        """Show a photo for painting; it is only a preview, and the mask is all that is taken from it."""
        if photo is None:
            yield {self.editor: gr.ImageEditor(value=None, visible=False)}
            return
        value = {"background": preview(photo.path), "layers": [], "composite": None}
        yield {self.editor: gr.ImageEditor(value=value, visible=True)}

    def _repair(
        self,
        photo: Upload | None,
        drawing: dict[str, Any] | None,
        mask: Upload | None,
        path: str | None,
        before: Results | None,
        *values: Any,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> Iterator[Update]:
        if photo is None:
            raise DataError("no photo yet: drop one, or choose it")
        model = self.choice.find(path)
        options = from_mapping(ImageOptions, dict(zip(self.options, values, strict=True)), "")
        named_mask = (mask.name, mask.path.read_bytes()) if mask else painted_mask(drawing, photo.path)
        yield from self.view.follow(self._run(model, photo, options, named_mask, progress), before)

    def _run(
        self,
        model: ListedModel,
        photo: Upload,
        options: ImageOptions,
        named_mask: tuple[str, bytes] | None,
        progress: Any,
    ) -> Iterator[Results]:
        progress(0, desc=f"loading {model.path}")
        hosted = self.models.load_images(model)
        yield from translate_uploads(hosted, [photo], options, ProgressReporter(progress), named_mask)


def painted_mask(drawing: dict[str, Any] | None, photo: Path) -> tuple[str, bytes] | None:
    """Return what was painted as a PNG of the size of a photo, white where it is painted, with a name.

    Args:
        drawing: the value of the editor.

    Returns:
        None if nothing is painted, and the transparent pixels of the photo are to be filled.

    Raises:
        UsageError: nothing is painted, and nothing in the photo is transparent.
    """
    layers = [np.asarray(layer)[..., 3] > 0 for layer in (drawing or {}).get("layers", [])]
    painted = np.any(layers, axis=0) if layers else np.zeros((1, 1), bool)
    size = read_size(photo)
    if not painted.any() or size is None:
        alpha = read(photo, first_only=True).frames[0].alpha
        if alpha is None or alpha.all():
            raise UsageError("nothing is painted: paint over what is to be filled, or upload a mask")
        return None
    # The editor shows a reduced copy of a large photo.
    mask = Image.fromarray(painted).resize(size, Image.Resampling.NEAREST)
    content = io.BytesIO()
    mask.convert("L").save(content, "PNG")
    return MASK_NAME, content.getvalue()
