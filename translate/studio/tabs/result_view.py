"""The view of translated images: before and after, and the file to download."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from translate.inference import Outcome
from translate.studio.components import MESSAGE_HEIGHT, Update, message_html, on
from translate.studio.previews import preview
from translate.studio.results import Results

NOTHING_DONE = "stopped before an image was done"


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
        self.stop = gr.Button("Stop", visible=False)
        self.file = gr.DownloadButton("Download", visible=False, variant="primary")
        self.results = gr.State(delete_callback=remove_results)
        self.outputs = [self.stop, self.image, self.slider, self.file, self.results]
        on(self.image.input, self._compare, [self.image, self.results], [self.slider], self.message)

    def follow(self, job: Iterator[Results], before: Results | None) -> Iterator[Update]:
        """Yield the view of a job while it runs, and then that of its results.

        Args:
            job: yields the results so far.
            before: the results of the job before, whose files are removed.
        """
        remove_results(before)
        yield {
            self.stop: gr.Button(visible=True),
            self.image: gr.Dropdown(visible=False),
            self.slider: gr.ImageSlider(value=None, visible=False),
            self.file: gr.DownloadButton(visible=False),
            self.results: None,
        }
        try:
            results = None
            for results in job:
                yield {self.results: results}
            if results:
                yield self.show(results)
        except Exception:
            yield {self.stop: gr.Button(visible=False)}
            raise

    def show(self, results: Results, prefix: str = "") -> Update:
        """Return the view of results, with the first image.

        Args:
            prefix: what the message begins with.
        """
        names = list(results.translated)
        first = names[0] if names else None
        path = results.download()
        return {
            self.message: message_html(prefix + results.summary(), is_error=not names),
            self.stop: gr.Button(visible=False),
            self.image: gr.Dropdown(names, value=first, visible=len(names) > 1),
            self.slider: _compare(results.translated[first]) if first else gr.skip(),
            self.file: gr.DownloadButton(
                f"Download {path.name}" if path else "", value=path and str(path), visible=path is not None
            ),
            self.results: results,
        }

    def stops(self, job: Any) -> None:
        """Let the button Stop end a job after its current image, and show what it has done."""
        on(self.stop.click, self._show_stopped, [self.results], self.outputs, self.message, cancels=[job])

    def _show_stopped(self, results: Results | None) -> Iterator[Update]:
        nothing = {self.message: message_html(NOTHING_DONE), self.stop: gr.Button(visible=False)}
        yield self.show(results, "stopped: ") if results else nothing

    def _compare(self, name: str, results: Results | None) -> Iterator[Update]:
        if results and name in results.translated:
            yield {self.slider: _compare(results.translated[name])}


def _compare(outcome: Outcome) -> Any:
    """Return the slider between previews of a file and its translation, of one size."""
    before, after = preview(outcome.source), preview(outcome.target)
    return gr.ImageSlider(value=(before.resize(after.size), after), visible=True)
