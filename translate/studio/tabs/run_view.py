"""The view of a run: state, curves, samples, log and settings, live while it trains."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import pandas as pd
from PIL import Image

from translate.config import load_yaml
from translate.errors import UsageError
from translate.studio.components import Update, message_html, on
from translate.studio.model_library import ModelLibrary
from translate.studio.trainings import read_output, reap_ended, start_training
from translate.training.runs.folder import Run
from translate.training.runs.status import RunStatus, read_log, read_metrics, read_status, stop_training

REFRESH_SECONDS = 3.0
STOP_SECONDS = 60.0  # For a step, and a checkpoint.
MAX_POINTS = 300  # Of a curve.
LOG_LINES = 12
UNITS = {"day": 86400, "hour": 3600, "minute": 60, "second": 1}  # In seconds.
RATES = ("pictures_per_second", "waiting")  # In the records of losses, and only there.


class RunView:
    """The view of the chosen run.

    Args:
        can_train: whether visitors may stop and resume it.
    """

    def __init__(self, library: ModelLibrary, *, can_train: bool) -> None:
        self.models = library
        self.folder = gr.State()
        self.message = gr.HTML(elem_classes="messages")
        self.state = gr.HTML()
        with gr.Row(visible=can_train):
            self.stop = gr.Button("Stop (saves)", interactive=False)
            self.resume = gr.Button("Resume", interactive=False)
        with gr.Row():
            with gr.Column(min_width=320):
                self.sample = gr.Image(
                    label="Samples", interactive=False, buttons=["fullscreen"], visible=False
                )
                self.step = gr.Dropdown(label="Step", interactive=True, visible=False)
            with gr.Column(min_width=320):
                self.losses = _plot("Losses")
                self.scores = _plot("Validation scores")
        self.log = gr.Textbox(label="Log", lines=LOG_LINES, max_lines=LOG_LINES, interactive=False)
        with gr.Accordion("Settings", open=False):
            self.settings = gr.Code(language="yaml", interactive=False, show_label=False)
        self.timer = gr.Timer(REFRESH_SECONDS, active=False)
        self.live = [self.state, self.stop, self.resume, self.sample, self.step, self.losses, self.scores]
        self.live += [self.log, self.timer]
        self.outputs = [self.folder, self.settings, *self.live]
        self._connect()

    def _connect(self) -> None:
        inputs = [self.folder, self.step]
        on(self.timer.tick, self._refresh, inputs, self.live, self.message, quiet=True)
        on(self.step.input, self._show_sample, inputs, [self.sample], self.message, quiet=True)
        on(self.stop.click, self._stop, [self.folder], self.live, self.message, quiet=True)
        on(self.resume.click, self._resume, [self.folder], self.outputs, self.message, quiet=True)

    def show(self, folder: Path) -> Update:
        """Return the view of a run.

        Raises:
            UsageError: the run is not one of those that the studio shows.
        """
        self._check(folder)
        return {
            self.folder: folder,
            self.settings: Run(folder).config.read_text(encoding="utf-8"),
            **self._live(folder, None),
        }

    def _check(self, folder: Path | None) -> Path:
        if folder is None or folder not in self.models.list_runs():
            raise UsageError(f"no run {folder}: choose one of the list")
        return folder

    def _live(self, folder: Path, step: str | None) -> Update:
        """Return what changes while a run trains."""
        reap_ended()
        run, status = Run(folder), read_status(folder)
        is_training = status.state == "training"
        steps = list(_samples(run))
        shown = step if step in steps[:-1] else next(reversed(steps), None)
        records = read_metrics(run)
        losses = [record for record in records if RATES[0] in record]
        return {
            self.state: _describe(status),
            self.stop: gr.Button(interactive=is_training),
            self.resume: gr.Button(interactive=not is_training),
            self.step: gr.Dropdown(steps, value=shown, visible=len(steps) > 0),
            self.sample: _open_sample(run, shown),
            self.losses: _curves(losses),
            self.scores: _curves([record for record in records if RATES[0] not in record]),
            self.log: "\n".join(read_log(run, LOG_LINES)) or read_output(folder),
            self.timer: gr.Timer(active=is_training),
        }

    def _refresh(self, folder: Path | None, step: str | None) -> Iterator[Update]:
        yield self._live(self._check(folder), step)

    def _show_sample(self, folder: Path | None, step: str | None) -> Iterator[Update]:
        yield {self.sample: _open_sample(Run(self._check(folder)), step)}

    def _stop(self, folder: Path | None) -> Iterator[Update]:
        folder = self._check(folder)
        stop_training(folder)
        deadline = time.monotonic() + STOP_SECONDS
        while read_status(folder).state == "training" and time.monotonic() < deadline:
            yield {self.message: message_html("stopping after this step, and saving")}
            time.sleep(0.5)
        yield {self.message: message_html(f"{read_status(folder).line}"), **self._live(folder, None)}

    def _resume(self, folder: Path | None) -> Iterator[Update]:
        folder = self._check(folder)
        command = ["train", load_yaml(Run(folder).config)["recipe"], "--out", str(folder), "--resume"]
        for line in start_training(command, folder):
            yield {self.message: message_html(f"resuming: {line}")}
        yield {self.message: message_html("resumed"), **self.show(folder)}


def _plot(label: str) -> Any:
    return gr.LinePlot(x="step", y="value", color="name", label=label, visible=False)


def _curves(records: Sequence[Mapping[str, Any]]) -> Any:
    """Return the curves of the values of some records, with at most `MAX_POINTS` points each."""
    some = [*records[:: max(1, len(records) // MAX_POINTS)], *records[-1:]]
    rows = [
        (record["step"], value, name)
        for record in some
        for name, value in record.items()
        if name not in ("step", "seconds", *RATES)
    ]
    return gr.LinePlot(pd.DataFrame(rows, columns=["step", "value", "name"]), visible=bool(rows))


def _samples(run: Run) -> dict[str, Path]:
    """Return the sample sheets of a run by step, the oldest first."""
    return {str(int(path.stem.rpartition("-")[2])): path for path in sorted(run.samples.glob("step-*.png"))}


def _open_sample(run: Run, step: str | None) -> Any:
    samples = _samples(run)
    image = Image.open(samples[step]).copy() if step in samples else None
    return gr.Image(value=image, visible=image is not None)


def _describe(status: RunStatus) -> str:
    """Return a line on the state of a run."""
    return message_html(f"{describe_state(status)}\n{status.line}")


def describe_state(status: RunStatus) -> str:
    """Return the folder of a run, its recipe, its state, and when its log was written last."""
    seconds = max(1.0, time.time() - status.changed)
    unit, size = next((unit, size) for unit, size in UNITS.items() if seconds >= size)
    age = f"{seconds / size:.0f} {unit}{'s' * (round(seconds / size) != 1)}"
    return f"{status.folder}: {status.recipe}, {status.state} ({age} ago)"
