"""The application of the server: its routes, and the answers to what they refuse."""

# Without `from __future__ import annotations`: FastAPI needs the types of a route themselves.

import re
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from translate.config import from_mapping
from translate.errors import DataError, TranslateError, UsageError
from translate.images import read_media_type
from translate.inference import Outcome
from translate.progress import Progress
from translate.server.limits import BodyLimit, Limits
from translate.server.metrics import MEDIA_TYPE, Metrics
from translate.server.schema import (
    HealthAnswer,
    ModelAnswer,
    describe_model,
    name_enum,
    query_model,
    request_body,
    translation_answers,
)
from translate.server.uploads import IMAGE, MASK, Upload, receive
from translate.server.worker import Worker
from translate.version import __version__
from translate.web.access import LOOPBACK, AccessControl
from translate.web.hosted import HostedModel
from translate.web.options import ImageOptions

HEALTH = "/health"
FLAG = re.compile(r"--([a-z]+(?:-[a-z]+)*)")  # Of the command line, in a message.


def create_app(
    models: Mapping[str, HostedModel],
    *,
    host: str = LOOPBACK,
    token: str = "",
    limits: Limits | None = None,
) -> FastAPI:
    """Create the application that serves models.

    Its `state.worker` is the worker that translates.

    Args:
        models: at least one model, by name.
        host, token: as for `AccessControl`.
    """
    limits = limits or Limits()
    worker = Worker(limits)
    metrics = Metrics(worker, models)
    # The pages of the documentation load nothing from other sites.
    app = FastAPIOffline(title="translate", version=__version__, redoc_url=None)
    app.state.worker = worker
    _add_answers_to_errors(app)
    _add_reports(app, models, worker, metrics)
    _add_translation(app, models, worker)
    app.add_middleware(BodyLimit, limits=limits)
    app.add_middleware(AccessControl, host=host, token=token, refuse=error_answer, open_paths=(HEALTH,))
    app.add_middleware(metrics.middleware)  # Outermost, so that it counts what the others refuse.
    return app


def error_answer(status: int, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return the answer to a request that failed."""
    return JSONResponse({"error": message}, status, headers)


def _add_answers_to_errors(app: FastAPI) -> None:
    """Let every error be answered by one line of JSON."""

    async def answer_http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        message = error.detail
        if error.status_code == HTTPStatus.NOT_FOUND:
            message = f"no path {request.url.path!r}: /docs lists the paths"
        return error_answer(error.status_code, message, error.headers)

    async def answer_invalid_request(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        place, *names = first["loc"]
        message = f"{'.'.join(map(str, names))!r} is {first['input']!r}: {first['msg']}"
        return error_answer(404 if place == "path" else 422, message)

    async def answer_user_error(request: Request, error: Exception) -> Response:
        # A value that no model takes is refused by its type; this one conflicts with the model.
        return error_answer(409 if isinstance(error, UsageError) else 422, _name_parameters(str(error)))

    async def answer_nobody(request: Request, error: Exception) -> Response:
        return error_answer(400, "the body ended too early")  # The client has gone; the metrics count it.

    async def answer_bug(request: Request, error: Exception) -> Response:
        return error_answer(500, "an error of the server, whose log has the details: please report it")

    app.add_exception_handler(Exception, answer_bug)
    app.add_exception_handler(ClientDisconnect, answer_nobody)
    app.add_exception_handler(HTTPException, answer_http_error)
    app.add_exception_handler(RequestValidationError, answer_invalid_request)
    app.add_exception_handler(TranslateError, answer_user_error)


def _add_reports(app: FastAPI, models: Mapping[str, HostedModel], worker: Worker, metrics: Metrics) -> None:
    """Add the routes that say what the server holds and how it is."""

    @app.get("/v1/models", summary="List the models")
    async def list_models() -> list[ModelAnswer]:
        return [describe_model(model) for model in models.values()]

    @app.get(HEALTH, summary="Say whether the server accepts requests")
    async def health() -> HealthAnswer:
        return HealthAnswer(
            status="draining" if worker.is_draining else "ok", waiting=max(0, worker.jobs - 1)
        )

    @app.get("/metrics", summary="Count requests, for Prometheus", response_class=PlainTextResponse)
    async def count() -> Response:
        return Response(metrics.export(), media_type=MEDIA_TYPE)


def _add_translation(app: FastAPI, models: Mapping[str, HostedModel], worker: Worker) -> None:
    """Add the route that translates an image."""
    names: Any = name_enum(list(models))
    options_model: Any = query_model(ImageOptions)

    @app.post(
        "/v1/models/{name}/translate",
        summary="Translate an image",
        responses=translation_answers(worker.limits),
        response_class=Response,
        openapi_extra=request_body(),
    )
    async def translate_image(
        request: Request, name: names, options: Annotated[options_model, Query()]
    ) -> Response:
        worker.check_capacity()  # Before the body is read, and again when it has been.
        for parameter in request.query_params:
            if len(request.query_params.getlist(parameter)) > 1:
                raise HTTPException(422, f"{parameter!r} is given more than once: give one value")
        model, given = models[name.value], from_mapping(ImageOptions, options.model_dump(), "")
        model.predictor(given)
        with tempfile.TemporaryDirectory(prefix="translate-", ignore_cleanup_errors=True) as folder:
            upload = await receive(request, Path(folder))
            return await worker.run(partial(_translate, model, upload, Path(folder), given, worker.limits))


def _translate(
    model: HostedModel,
    upload: Upload,
    folder: Path,
    options: ImageOptions,
    limits: Limits,
    progress: Progress,
) -> Response:
    """Translate an upload, and return the answer with its content.

    Raises:
        DataError: the image or the mask cannot be used.
        UsageError: an option does not fit the model.
    """
    started = time.perf_counter()
    try:
        outcome = model.translate(
            upload.image,
            folder / "out",
            options,
            mask=upload.mask,
            max_megapixels=limits.megapixels,
            progress=progress,
        )
    except TranslateError as error:
        raise type(error)(_for_client(str(error), folder)) from None
    if outcome.failure:
        raise DataError(_for_client(outcome.failure, folder))
    return _image_answer(outcome, time.perf_counter() - started)


def _image_answer(outcome: Outcome, seconds: float) -> Response:
    """Return the answer with the written file."""
    headers = {
        "content-disposition": _disposition(outcome.target.name),
        "server-timing": f"translate;dur={seconds * 1000:.0f}",
        "x-content-type-options": "nosniff",
    }
    content = outcome.target.read_bytes()
    return Response(content, media_type=read_media_type(outcome.target), headers=headers)


def _disposition(name: str) -> str:
    """Return the header that names a file to save (RFC 6266): in ASCII, and as it is."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"


def _for_client(message: str, folder: Path) -> str:
    """Return a message that names files as the client does, and options as parameters instead of flags."""
    for path in (folder / IMAGE, folder / MASK, folder):
        message = message.replace(f"{path}/", "")
    return _name_parameters(message)


def _name_parameters(message: str) -> str:
    """Return a message in which the flags of the command line are the parameters of a request."""
    return FLAG.sub(lambda flag: flag[1].replace("-", "_"), message)
