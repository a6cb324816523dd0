"""The view of translated images: before and after, and the file to download."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from translate.inference import Outcome
from translate.studio.components import MESSAGE_HEIGHT, Update, message_html, on
from translate.studio.previews import preview
from translate.studio.results import Results


def remove_results(results: Results | None) -> None:
    """Remove the files of a visitor who has gone."""
    if results:
        results.remove()


class ResultView:
    """The right side of a tab: what was done, the images before and after, and the file to download."""

    def __init__(self) -> None:
        self.message = gr.HTML(elem_classes="messages", min_height=MESSAGE_HEIGHT)
        self.image = gr.Dropdown(label="Image", visible=False, interactive=True)
        self.slider = gr.ImageSlider(
            label="Before and after", interactive=False, buttons=["fullscreen"], visible=False
        )
        self.file = gr.DownloadButton("Download", visible=False, variant="primary")
        self.results = gr.State(delete_callback=remove_results)
        self.outputs = [self.image, self.slider, self.file, self.results]
        on(self.image.input, self._compare, [self.image, self.results], [self.slider], self.message)

    def clear(self, before: Results | None) -> Update:
        """Return the view of a job that begins; the files of the one before are removed."""
        remove_results(before)
        return {
            self.image: gr.Dropdown(visible=False),
            self.slider: gr.ImageSlider(value=None, visible=False),
            self.file: gr.DownloadButton(visible=False),
            self.results: None,
        }

    def show(self, results: Results, prefix: str = "") -> Update:
        """Return the view of results, with the newest image.

        Args:
            prefix: what the message begins with.
        """
        names = list(results.translated)
        newest = names[-1] if names else None
        path = results.download()
        return {
            self.message: message_html(prefix + results.summary(), is_error=not names),
            self.image: gr.Dropdown(names, value=newest, visible=len(names) > 1),
            self.slider: _compare(results.translated[newest]) if newest else gr.skip(),
            self.file: gr.DownloadButton(
                f"Download {path.name}" if path else "", value=path and str(path), visible=path is not None
            ),
            self.results: results,
        }

    def stops(self, button: Any, job: Any) -> None:
        """Let a button stop a job after its current image, and show what it has done."""
        on(button.click, self._show_stopped, [self.results], self.outputs, self.message, cancels=[job])

    def _show_stopped(self, results: Results | None) -> Iterator[Update]:
        yield self.show(results, "stopped: ") if results else {self.message: message_html("stopped")}

    def _compare(self, name: str, results: Results | None) -> Iterator[Update]:
        if results and name in results.translated:
            yield {self.slider: _compare(results.translated[name])}


def _compare(outcome: Outcome) -> Any:
    """Return the slider between previews of a file and its translation, of one size."""
    before, after = preview(outcome.source), preview(outcome.target)
    return gr.ImageSlider(value=(before.resize(after.size), after), visible=True)
