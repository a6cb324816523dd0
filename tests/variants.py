"""Settings with which a recipe trains by a step of its own, to be tested beside its default ones."""

from __future__ import annotations

from typing import Any

ATTENTION: dict[str, Any] = {  # Of inpaint: two-stage inpainting with contextual attention.
    "generator": "attention",
    "holes": "half-box",
    "discriminator": "local-global",
    "d_layers": 3,  # The default, because its critics have layers of their own.
    "gan_loss": "wgan-gp",
    "lambda_gan": 0.001,
    "d_steps": 2,
    "lr_schedule": "constant",
}
