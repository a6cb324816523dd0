"""The application of the studio: the page with its tabs, closed to everything but this machine's browser."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr
from fastapi import FastAPI
from starlette.responses import PlainTextResponse

from translate.studio.components import on
from translate.studio.isolation import forbid_downloads
from translate.studio.model_library import ModelLibrary
from translate.studio.tabs.generate import GenerateTab
from translate.studio.tabs.images import ImageTab
from translate.studio.tabs.repair import RepairTab
from translate.studio.tabs.runs import RunsTab
from translate.studio.tabs.train import TrainTab
from translate.web.access import AccessControl, is_loopback

TITLE = "translate studio"
FONTS = ["system-ui", "sans-serif"]  # Of the visitor's system: none is loaded from another site.
CSS = """
.message { margin: 0; padding: 0.5rem 0.75rem; border-left: 4px solid var(--color-accent); }
.message { background: var(--background-fill-secondary); overflow-wrap: anywhere; }
.message.error { border-left-color: #d92d20; }
.or, .min_value, .max_value { color: inherit !important; }
.dark button[role=tab].selected { color: var(--primary-300); }
"""


def create_app(library: ModelLibrary, *, host: str, token: str = "") -> FastAPI:
    """Create the application of the studio.

    Args:
        host, token: as for `AccessControl`; trainings can be started only on loopback.
    """
    forbid_downloads()
    app = FastAPI(openapi_url=None)
    page = create_page(library, can_train=is_loopback(host))
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        footer_links=[],
        run_history=False,
        allowed_paths=[],
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
        theme=create_theme(),
        css=CSS,
    )
    app.add_middleware(AccessControl, host=host, token=token, refuse=_refuse)
    return app


def create_theme() -> Any:
    """Create the theme: the fonts of the visitor's system, and colours with enough contrast for all."""
    theme = gr.themes.Default(
        primary_hue=gr.themes.colors.indigo, font=FONTS, font_mono=["ui-monospace", "monospace"]
    )
    return theme.set(
        color_accent="*primary_600",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
        button_primary_text_color="white",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_300",
    )


def create_page(library: ModelLibrary, *, can_train: bool) -> Any:
    """Create the page with its tabs; without the one that trains, unless it may."""
    with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=(3600, 86400)) as page:
        gr.Markdown(f"# {TITLE}")
        with gr.Tabs():
            images = ImageTab(library, ["translation", "multidomain"], "Translate", [])
            repair = RepairTab(library)
            colour = ImageTab(library, ["colorization"], "Colour", ["saturation"])
            generate = GenerateTab(library)
            train = TrainTab(library) if can_train else None
            runs = RunsTab(library, can_train=can_train)
        for each in (images, repair, colour, generate):
            model = each.choice.model
            for event in (page.load, each.tab.select):
                on(event, each.choice.refresh, [model], [model], each.message, quiet=True)
        for event in (page.load, runs.tab.select):
            on(event, runs.refresh, [runs.run], [runs.run], runs.view.message, quiet=True)
        if train:
            outputs = [*train.places.values(), train.image_size, train.batch_size, train.out]
            on(page.load, train.refresh, [train.recipe], outputs, train.message, quiet=True)
    return page.queue(max_size=64)


def _refuse(status: int, message: str, headers: Mapping[str, str]) -> PlainTextResponse:
    return PlainTextResponse(message, status, headers)
