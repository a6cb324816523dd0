"""The tabs that apply a model to images: Translate and Colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from translate.config import MultiDomainModelConfig, from_mapping
from translate.errors import DataError
from translate.studio.components import (
    ProgressReporter,
    Update,
    Upload,
    image_files,
    on,
    setting_inputs,
)
from translate.studio.model_library import ListedModel, ModelLibrary
from translate.studio.results import Results, translate_uploads
from translate.studio.tabs.model_choice import NO_MODEL, ModelChoice
from translate.studio.tabs.result_view import ResultView
from translate.web.options import ImageOptions

FILE_OPTIONS = ("format", "size", "alpha", "half", "keep_metadata")


class ImageTab:
    """A tab that applies the models of one kind to files.

    Args:
        kinds: the kinds of its models.
        verb: the name of the tab and of its button.
        options: the options of the models that it offers.
    """

    def __init__(
        self, library: ModelLibrary, kinds: Sequence[str], verb: str, options: Sequence[str]
    ) -> None:
        self.models, self.verb = library, verb
        with gr.Tab(verb) as self.tab, gr.Row():
            with gr.Column(scale=2, min_width=320):
                self.files = image_files(label="Images", file_count="multiple", height=180)
                self.choice = ModelChoice(library, kinds)
                self.direction = gr.Radio(label="Direction", visible=False, interactive=True)
                self.domain = gr.Radio(label="Target", visible=False, interactive=True)
                self.attributes = gr.CheckboxGroup(label="Target", visible=False, interactive=True)
                self.options = setting_inputs(ImageOptions, options)
                with gr.Accordion("Files and size", open=False):
                    self.options |= setting_inputs(ImageOptions, FILE_OPTIONS)
                self.start = gr.Button(verb, variant="primary")
            with gr.Column(scale=3, min_width=320):
                self.view = ResultView()
        self.message = self.view.message
        self._connect()

    def _connect(self) -> None:
        model, message = self.choice.model, self.message
        described = [self.choice.about, self.direction, self.domain, self.attributes]
        on(model.change, self._describe, [model], described, message, quiet=True)
        targets = [self.direction, self.domain, self.attributes]
        job = on(
            self.start.click,
            self._translate,
            [self.files, model, self.view.results, *targets, *self.options.values()],
            self.view.outputs,
            message,
            uses_device=True,
            show_progress_on=self.message,
        )
        self.view.stops(job)

    def _describe(self, path: str | None) -> Iterator[Update]:
        if path is None:
            yield {self.choice.about: NO_MODEL}
            return
        model = self.choice.find(path)
        config = model.config
        several = isinstance(config, MultiDomainModelConfig)
        names = list(config.routes)
        exclusive = isinstance(config, MultiDomainModelConfig) and config.exclusive
        yield {
            self.choice.about: model.about,
            self.direction: gr.Radio(names, value=names[0], visible=not several and len(names) > 1),
            self.domain: gr.Radio(names, value=names[-1], visible=several and exclusive),
            self.attributes: gr.CheckboxGroup(names, value=[], visible=several and not exclusive),
        }

    def _translate(
        self,
        files: list[Upload] | None,
        path: str | None,
        before: Results | None,
        direction: str | None,
        domain: str | None,
        attributes: list[str],
        *values: Any,
        progress: Any = gr.Progress(),  # noqa: B008
    ) -> Iterator[Update]:
        if not files:
            raise DataError("no images yet: drop some, or choose them")
        model = self.choice.find(path)
        config = model.config
        options = dict(zip(self.options, values, strict=True))
        if isinstance(config, MultiDomainModelConfig):
            options["to"] = domain if config.exclusive else ",".join(attributes) or "none"
        elif direction in config.routes:
            options["direction"] = direction
        given = from_mapping(ImageOptions, options, "")
        yield from self.view.follow(self._run(model, files, given, progress), before)

    def _run(
        self, model: ListedModel, files: Sequence[Upload], options: ImageOptions, progress: Any
    ) -> Iterator[Results]:
        progress(0, desc=f"loading {model.path}")
        yield from translate_uploads(
            self.models.load_images(model), files, options, ProgressReporter(progress)
        )
