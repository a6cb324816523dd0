"""The tab that checks a dataset and starts a training on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from shlex import quote
from typing import Any

import gradio as gr

from translate.config import setting_fields
from translate.config.resolve import RUN_LENGTHS
from translate.data.demo import write_demo
from translate.data.discovery.check import check_dataset
from translate.data.volumes import check_volumes
from translate.errors import UsageError
from translate.methods.gan3d.config import SIDES
from translate.methods.registry import find_method, method_names
from translate.methods.stargan.config import split_attributes
from translate.studio.components import Update, message_html, on
from translate.studio.model_library import ModelLibrary
from translate.studio.tabs.run_view import RunView
from translate.studio.trainings import start_training, train_command

FIRST_RECIPE = "cyclegan"
DEMO, DEMO_SIZE = Path("datasets/demo"), 64
# The settings of the dataset that some recipes have, with their labels.
PLACES = {
    "data": "Folder of the dataset",
    "domain_a": "Or a folder of domain A",
    "domain_b": "And a folder of domain B",
    "labels": "Table of labels, if there is one",
    "attributes": "Attributes of the table, separated by commas",
}
MINUTES = 30
CHECK_FIRST = "check the data before the training starts"


class TrainTab:
    """The tab that starts a training; its run is that of the command line."""

    def __init__(self, library: ModelLibrary) -> None:
        self.models = library
        with gr.Tab("Train") as self.tab:
            with gr.Row():
                with gr.Column(min_width=320):
                    recipes = [(f"{name}: {find_method(name).about}", name) for name in method_names()]
                    self.recipe = gr.Dropdown(recipes, value=FIRST_RECIPE, label="Recipe")
                    self.places = {name: gr.Textbox(label=label) for name, label in PLACES.items()}
                    with gr.Row():
                        self.demo = gr.Button("Use the built-in dataset")
                        self.check = gr.Button("Check the data", variant="primary")
                with gr.Column(min_width=320):
                    self.unit = gr.Radio(list(RUN_LENGTHS), value="minutes", label="Length in")
                    self.length = gr.Number(MINUTES, label="Length")
                    self.image_size = gr.Number(label="Image size in pixels")
                    self.batch_size = gr.Number(label="Batch size")
                    self.out = gr.Textbox(label="Folder of the run")
                    self.start = gr.Button("Start training", variant="primary", interactive=False)
            self.message = gr.HTML(elem_classes="messages")
            self.report = gr.HTML(elem_classes="messages")
            with gr.Column(visible=False) as self.run:
                self.view = RunView(library, can_train=True)
        self._connect()

    def _connect(self) -> None:
        places = list(self.places.values())
        settings = [self.unit, self.length, self.image_size, self.batch_size, self.out]
        described = [*places, self.image_size, self.batch_size, self.out]
        message = self.message
        on(self.recipe.change, self._describe, [self.recipe], described, message, quiet=True)
        for each in [self.recipe, *places]:
            on(each.input, self._require_check, [], [self.start, self.report], message, quiet=True)
        on(
            self.demo.click,
            self._write_demo,
            [],
            [*places, self.image_size, self.start, self.report],
            message,
        )
        on(self.check.click, self._check, places, [self.start, self.report], message)
        inputs = [self.recipe, *settings, *places]
        on(self.start.click, self._start, inputs, [self.start, self.run, *self.view.outputs], message)

    def refresh(self, recipe: str) -> Iterator[Update]:
        """Yield the settings of the chosen recipe."""
        yield from self._describe(recipe)

    def _describe(self, recipe: str) -> Iterator[Update]:
        fields = {field.name: field for field in setting_fields(find_method(recipe).config_class())}
        update: Update = {place: gr.Textbox(visible=name in fields) for name, place in self.places.items()}
        update[self.image_size] = fields["image_size"].default
        update[self.batch_size] = fields["batch_size"].default
        update[self.out] = str(_free_folder(self.models.runs / recipe))
        yield update

    def _require_check(self) -> Iterator[Update]:
        yield {self.start: gr.Button(interactive=False), self.report: message_html(CHECK_FIRST)}

    def _write_demo(self) -> Iterator[Update]:
        if not DEMO.exists():
            write_demo(DEMO, size=DEMO_SIZE)
        cleared = {place: None for name, place in self.places.items() if name != "data"}
        yield {
            self.places["data"]: str(DEMO),
            self.image_size: DEMO_SIZE,
            **cleared,
            self.start: gr.Button(interactive=False),
            self.report: message_html(f"{DEMO} holds horses (A) and zebras (B), {DEMO_SIZE} pixels a side"),
        }

    def _check(self, *places: str | None) -> Iterator[Update]:
        given = {name: place or None for name, place in zip(self.places, places, strict=True)}
        folder, attributes = given["data"], given["attributes"]
        is_alone = not any(place for name, place in given.items() if name != "data")
        report = check_volumes(folder, max(SIDES)) if folder and is_alone else None
        report = report or check_dataset(
            folder,
            domain_a=given["domain_a"],
            domain_b=given["domain_b"],
            labels=given["labels"],
            attributes=split_attributes(attributes) if attributes else None,
        )
        yield {
            self.report: message_html("\n".join(report.lines), is_error=bool(report.problems)),
            self.start: gr.Button(interactive=True),
        }

    def _start(
        self,
        recipe: str,
        unit: str,
        length: float,
        image_size: int,
        batch_size: int,
        out: str,
        *places: str | None,
    ) -> Iterator[Update]:
        if not out:
            raise UsageError(f"no folder of the run: give one, such as {self.models.runs / recipe}")
        settings: dict[str, Any] = dict(zip(self.places, places, strict=True))
        settings |= {unit: length, "image_size": image_size, "batch_size": batch_size, "out": out}
        known = {field.name for field in setting_fields(find_method(recipe).config_class())}
        command = train_command(recipe, {name: settings[name] for name in settings if name in known})
        for line in start_training(command, Path(out)):
            yield {self.message: message_html(f"starting: {line}")}
        self.models.started.append(Path(out))
        started = f"started: translate {' '.join(map(quote, command))}"
        yield {
            self.message: message_html(started),
            self.start: gr.Button(interactive=False),
            self.run: gr.Column(visible=True),
            **self.view.show(Path(out)),
        }


def _free_folder(folder: Path) -> Path:
    """Return a folder that does not exist, with a number if need be."""
    number, free = 1, folder
    while free.exists():
        number += 1
        free = folder.with_name(f"{folder.name}-{number}")
    return free
