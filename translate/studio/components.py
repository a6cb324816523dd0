"""Components of the page that several tabs share, and the handling of errors in their events."""

from __future__ import annotations

import dataclasses
import functools
import html
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import gradio as gr

from translate.config import setting_fields
from translate.config.schema import Config, plain_type
from translate.display import JobState
from translate.errors import TranslateError
from translate.progress import Advanced, Event, Started
from translate.web.names import safe_name

Update = dict[Any, Any]  # New values of components, by component.
Handler = Callable[..., Iterator[Update]]
MESSAGE_HEIGHT = 96  # In pixels: room for the progress of a job.
BUG = "an error of the studio, whose terminal has the details: please report it"


@dataclasses.dataclass(frozen=True)
class Upload:
    """A file that was uploaded.

    Attributes:
        path: the file on this machine, with a name that Gradio has changed.
        name: its name on the user's machine, as far as it is a name on any.
    """

    path: Path
    name: str


def image_files(**options: Any) -> Any:
    """Return a file component whose values are uploads, with the bytes that were sent, or lists of them.

    Args:
        options: those of `gr.File`.
    """
    files = gr.File(**options)

    def to_uploads(payload: Any) -> Any:
        if payload is None:
            return None
        return _to_upload(payload) if files.file_count == "single" else [_to_upload(file) for file in payload]

    files.preprocess = to_uploads  # The browser does not know the components of a subclass.
    return files


def _to_upload(file: Any) -> Upload:
    return Upload(Path(file.path), safe_name(file.orig_name or Path(file.path).name))


class ProgressReporter:
    """A listener that shows the progress of a job in the page, with its rate and the time left.

    Args:
        progress: `gr.Progress` of the event.
    """

    def __init__(self, progress: Any) -> None:
        self.progress = progress
        self.state: JobState | None = None

    def __call__(self, event: Event) -> None:
        """Show an event."""
        if isinstance(event, Started):
            self.state = JobState(event)
        elif isinstance(event, Advanced) and self.state and self.state.total:
            self.state.advance(event)
            self.progress(self.state.done / self.state.total, desc=self.state.status())


def message_html(text: str, *, is_error: bool = False) -> str:
    """Return a message as HTML that a screen reader reads aloud when it appears."""
    lines = "<br>".join(html.escape(line) for line in text.splitlines())
    role, kind = ("alert", "error") if is_error else ("status", "note")
    return f'<p role="{role}" class="message {kind}">{lines}</p>' if text else ""


def on(
    trigger: Callable[..., Any],
    handler: Handler,
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    message: Any,
    *,
    uses_device: bool = False,
    quiet: bool = False,
    **options: Any,
) -> Any:
    """Call a handler when an event occurs, and show its errors as one line in the page.

    Args:
        handler: takes the values of the inputs, and yields new values of the outputs and the message.
        uses_device: one such event runs at a time; the others wait for it.
        quiet: a quick event, whose handler yields once: it shows no progress, and leaves the message as it is
            unless there is an error.
        options: further arguments of the event, as of Gradio.
    """
    if uses_device:
        options |= {"concurrency_id": "device", "concurrency_limit": 1}
    else:
        options["concurrency_limit"] = None
    run = _show_errors(handler, message, clear=not quiet)
    if quiet:
        # Not by the queue, whose stream ends when an event does, and loses one that begins just then.
        options |= {"show_progress": "hidden", "queue": False}
    return trigger(
        _run_at_once(run) if quiet else run,
        inputs=list(inputs),
        outputs=[*outputs, message],
        api_visibility="private",
        **options,
    )


def _show_errors(handler: Handler, message: Any, *, clear: bool) -> Handler:
    @functools.wraps(handler)  # Gradio reads the parameters of the handler.
    def run(*values: Any) -> Iterator[Update]:
        try:
            if clear:
                yield {message: ""}
            yield from handler(*values)
        except TranslateError as error:
            yield {message: message_html(str(error), is_error=True)}
        except Exception:
            traceback.print_exc()
            yield {message: message_html(BUG, is_error=True)}

    return run


def _run_at_once(handler: Handler) -> Callable[..., Update]:
    """Return a function that returns all that a handler yields."""

    @functools.wraps(handler)
    def run(*values: Any) -> Update:
        return {component: value for update in handler(*values) for component, value in update.items()}

    return run


def setting_inputs(config_class: type[Config], names: Sequence[str]) -> dict[str, Any]:
    """Return an input for each of some settings, with its help, its default and its choices or range."""
    hints = get_type_hints(config_class)
    fields = {field.name: field for field in setting_fields(config_class)}
    return {name: _setting_input(fields[name], plain_type(hints[name])[0]) for name in names}


def _setting_input(field: dataclasses.Field[Any], value_type: type) -> Any:
    about = field.metadata["help"]
    shared = {"label": field.name.replace("_", " ").capitalize(), "info": about, "value": field.default}
    low, high = field.metadata["low"], field.metadata["high"]
    if value_type is bool:
        return gr.Checkbox(**shared)
    if field.metadata["choices"]:
        return gr.Dropdown([("", None)] * (field.default is None) + list(field.metadata["choices"]), **shared)
    if value_type is float and high is not None:
        return gr.Slider(low, high, step=(high - low) / 100, **shared)
    if value_type in (int, float):
        return gr.Number(**shared)  # Without the range: Gradio's own error would be a traceback in the log.
    return gr.Textbox(**shared)
