"""The tab that lists the runs, and shows the chosen one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gradio as gr

from translate.studio.components import Update, on
from translate.studio.model_library import ModelLibrary
from translate.studio.tabs.run_view import RunView, describe_state
from translate.training.runs.status import read_status


class RunsTab:
    """The tab of the runs: a list with recipe, state and age, and the view of one."""

    def __init__(self, library: ModelLibrary, *, can_train: bool) -> None:
        self.models = library
        with gr.Tab("Runs") as self.tab:
            self.run = gr.Dropdown(label="Run", interactive=True)
            self.view = RunView(library, can_train=can_train)
        on(self.run.change, self._show, [self.run], self.view.outputs, self.view.message)

    def refresh(self, current: str | None) -> Iterator[Update]:
        """Yield the list of the runs as it is now, the newest first, which keeps its choice."""
        statuses = [read_status(folder) for folder in self.models.list_runs()]
        statuses.sort(key=lambda status: status.changed, reverse=True)
        choices = [(describe_state(status), str(status.folder)) for status in statuses]
        values = [value for _, value in choices]
        value = current if current in values else next(iter(values), None)
        yield {self.run: gr.Dropdown(choices, value=value)}

    def _show(self, run: str | None) -> Iterator[Update]:
        if run:
            yield self.view.show(Path(run))
