"""The list of models of a tab."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import gradio as gr

from translate.errors import UsageError
from translate.studio.components import Update
from translate.studio.model_library import ListedModel, ModelLibrary

NO_MODEL = "no model for this yet: train one, or give `translate studio` its folder"


class ModelChoice:
    """The list of the models of some kinds, and what the chosen one is."""

    def __init__(self, library: ModelLibrary, kinds: Sequence[str]) -> None:
        self.models, self.kinds = library, kinds
        self.model = gr.Dropdown(label="Model", interactive=True)
        self.about = gr.Markdown(elem_classes="about")

    def refresh(self, current: str | None) -> Iterator[Update]:
        """Yield the list of the models as it is now, which keeps its choice if that is still there."""
        paths = [model.path for model in self.models.list_models(self.kinds)]
        value = current if current in paths else next(iter(paths), None)
        yield {self.model: gr.Dropdown(paths, value=value)}

    def find(self, path: str | None) -> ListedModel:
        """Return the chosen model.

        Raises:
            UsageError: none is chosen.
        """
        if path is None:
            raise UsageError(NO_MODEL)
        return self.models.find(path, self.kinds)
