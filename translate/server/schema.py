"""Describe the HTTP interface for its OpenAPI document: query parameters, request bodies, and answers."""

from __future__ import annotations

import typing
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, create_model

from translate.config.apply import MIN_SIZE
from translate.config.schema import Config, setting_fields
from translate.server.limits import Limits
from translate.server.uploads import IMAGE, MASK, MEDIA_TYPES, MULTIPART
from translate.web.hosted import HostedModel

# Where the type of a setting admits more strings than the setting: `auto`, `native`, or pixels.
PATTERNS = {"size": rf"^(auto|native|[{MIN_SIZE}-9]|[1-9]\d{{1,4}})$"}


class ErrorAnswer(BaseModel):
    """The answer to a request that failed."""

    error: str = Field(description="one line: the value, the rule, the remedy")


class ModelAnswer(BaseModel):
    """A model that the server holds."""

    name: str
    kind: str = Field(description="translation, multidomain, colorization or inpainting")
    method: str = Field(description="the method that trained it")
    directions: list[str] = Field(description="values of `direction`, the default first")
    targets: list[str] = Field(description="values of `to`, for a model of several domains or attributes")
    takes_mask: bool = Field(description="whether the form may have a file `mask`")
    working_size: int | None = Field(description="shorter side at which the network works, in pixels")


class HealthAnswer(BaseModel):
    """The state of the server."""

    status: Literal["ok", "draining"]
    waiting: int = Field(description="requests that wait for the image that is being translated")


def describe_model(model: HostedModel) -> ModelAnswer:
    """Return what `/v1/models` says about a model."""
    c = model.config
    return ModelAnswer(
        name=model.name,
        kind=c.kind,
        method=c.method,
        directions=model.directions,
        targets=model.targets,
        takes_mask=model.needs_mask,
        working_size=c.working_size,
    )


def name_enum(names: list[str]) -> type[StrEnum]:
    """Return the enumeration of the names of models."""
    return StrEnum("ModelName", {f"model{number}": name for number, name in enumerate(names)})  # type: ignore[return-value]


def query_model(config_class: type[Config]) -> type[BaseModel]:
    """Return the model of the query parameters for a config class: one for each setting."""
    hints = typing.get_type_hints(config_class)
    fields: dict[str, Any] = {}
    for field in setting_fields(config_class):
        about, kind = field.metadata, hints[field.name]
        if about["choices"]:
            kind = Literal[about["choices"]]
            kind = kind | None if field.default is None else kind
        info = Field(
            field.default,
            description=about["help"],
            ge=about["low"],
            le=about["high"],
            pattern=PATTERNS.get(field.name),
        )
        fields[field.name] = (kind, info)
    return create_model(config_class.__name__, __config__=ConfigDict(extra="forbid"), **fields)


def request_body() -> dict[str, Any]:
    """Return the part of the OpenAPI document on the body of a translation."""
    file = {"type": "string", "format": "binary"}
    form = {
        "type": "object",
        "properties": {
            IMAGE: {**file, "description": "the image"},
            MASK: {**file, "description": "for inpainting: an image of the same size, white in the hole"},
        },
        "required": [IMAGE],
        "additionalProperties": False,
    }
    raw = {kind: {"schema": file} for kind in MEDIA_TYPES}
    return {"requestBody": {"required": True, "content": {MULTIPART: {"schema": form}, **raw}}}


def translation_answers(limits: Limits) -> dict[int | str, dict[str, Any]]:
    """Return the part of the OpenAPI document on the answers to a translation, by status."""
    image = {kind: {"schema": {"type": "string", "format": "binary"}} for kind in MEDIA_TYPES}
    reasons = {
        400: "the form is damaged",
        404: "there is no such model",
        408: f"the body took more than {limits.stall_seconds:g} s to go on, or {limits.seconds:g} s in all",
        409: "an option is not one for this model",
        413: f"the body is larger than {limits.body / 2**20:g} MiB",
        415: "the body has another type",
        422: f"an option has no such value, or the image is damaged or larger than {limits.megapixels:g} MP",
        429: f"{limits.waiting} requests are waiting",
        503: "the server is being stopped",
        504: f"the image was not done within {limits.seconds:g} s",
    }
    answers: dict[int | str, dict[str, Any]] = {
        status: {"model": ErrorAnswer, "description": reason} for status, reason in reasons.items()
    }
    answers[200] = {
        "description": "the image, in the format of the request unless `format` says otherwise",
        "content": image,
    }
    return answers
