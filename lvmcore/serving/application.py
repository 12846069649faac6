"""The addresses of a server, and what each does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, TypeVar

import attrs
import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from torch import Tensor

from lvmcore.data.corpus import Corpus
from lvmcore.files import to_json
from lvmcore.model import LatentVectorModel
from lvmcore.plain import clean_title
from lvmcore.prediction.neighbours import neighbours
from lvmcore.serving.batcher import Batcher
from lvmcore.serving.description import description
from lvmcore.serving.door import Hosts
from lvmcore.serving.forms.answers import answered, form_of_answer
from lvmcore.serving.forms.bodies import Bodies
from lvmcore.serving.forms.contexts import Form, contexts
from lvmcore.serving.forms.workers import Worker
from lvmcore.serving.limits import Limits
from lvmcore.serving.page import page
from lvmcore.serving.refusal import FAULT, Gone, Refusal, busy
from lvmcore.serving.wire.guard import LEFT, Guard
from lvmcore.serving.wire.log import Log
from lvmcore.serving.wire.metrics import Metrics
from lvmcore.turns import Turns, at_once

T = TypeVar("T")

SMALL = 65_536
"""Bytes of a body that the loop itself reads, one in each of its turns: it takes less than to wake a thread."""


@attrs.frozen(eq=False)
class Served:
    """A model, and what is told of it."""

    name: str = attrs.field(converter=clean_title)
    model: LatentVectorModel
    precision: str
    """fp32 or bf16."""
    about: dict[str, Any] = attrs.field(factory=dict)
    """What GET / tells besides the name."""
    corpus: Corpus | None = None
    """Where the chunks nearest to a prediction are looked for."""


class Service:
    """The application of one model."""

    def __init__(self, served: Served, limits: Limits, metrics: Metrics, *, token: bool = False) -> None:
        self.served, self.limits, self.metrics = served, limits, metrics
        self._batcher = Batcher(self._forward, limits, metrics.slice)
        self._bodies, self._reader, self._searcher = Bodies(limits), Worker("forms"), Worker("search")
        self._small = asyncio.Lock()
        self._searching = 0
        self._about = _json({"model": served.name, **served.about})
        described = description(served.name, served.model.shape, limits, corpus=served.corpus is not None, token=token)
        self._described, self._page = orjson.dumps(described), page(described)
        metrics.watch(
            "lvm_waiting_predictions", "Predictions asked for and not yet made.", lambda: self._batcher.waiting
        )
        metrics.watch("lvm_held_bytes", "Bytes of bodies that are held.", lambda: self._bodies.held)

    def routes(self) -> list[Route]:
        told = [("/", self.about), ("/health", health), ("/metrics", self.measured), ("/docs", self.docs)]
        asked = [("/predict", self.predict), ("/rollout", self.rollout), ("/nearest", self.nearest)]
        return [
            *(Route(path, do, methods=["GET"]) for path, do in [*told, ("/openapi.json", self.openapi)]),
            *(Route(path, do, methods=["POST"]) for path, do in asked),
        ]

    @asynccontextmanager
    async def living(self, app: Starlette) -> AsyncIterator[None]:
        """What the server needs as long as it lives."""
        self._batcher.start()
        try:
            yield
        finally:
            await self._batcher.stop()
            self._reader.stop()
            self._searcher.stop()

    async def about(self, request: Request) -> Response:
        """The model: its recipe, the shape that it reads, what it was trained on, its figures."""
        return Response(self._about, media_type="application/json")

    async def predict(self, request: Request) -> Response:
        """The vector that follows each context."""
        form, rows = await self._asked(request, self.limits.predictions)
        found = await unless_gone(request, self._batcher.predictions(rows))
        return answered(found[:, 0], form, self.served.name, self._reader)

    async def rollout(self, request: Request) -> Response:
        """Several steps ahead, each prediction fed back."""
        steps = _number(request, "steps", 1, self.limits.predictions)
        form, rows = await self._asked(request, self.limits.predictions // steps)
        found = await unless_gone(request, self._batcher.predictions(rows, steps))
        return answered(found, form, self.served.name, self._reader)

    async def nearest(self, request: Request) -> Response:
        """The chunks of the corpus that are nearest to each step ahead."""
        steps = _number(request, "steps", 1, self.limits.searched, default=1)
        count = _number(request, "count", 1, self.limits.neighbours, default=5)
        if (corpus := self.served.corpus) is None:
            raise Refusal(404, "the server looks into no corpus", where="/nearest", fix="lvm serve --data FILE")
        _, rows = await self._asked(request, self.limits.searched // steps)
        if self._searching >= self.limits.searches:
            raise busy("too many searches are under way", 1)
        self._searching += 1
        try:
            found = await unless_gone(request, self._batcher.predictions(rows.clone(), steps))
            near = await unless_gone(request, self._searcher.finish(_nearest(corpus, rows, found, count)))
        finally:
            self._searching -= 1
        document = {"model": self.served.name, "corpus": corpus.info.name, "nearest": near}
        return Response(_json(document), media_type="application/json")

    async def measured(self, request: Request) -> Response:
        """Counts for Prometheus."""
        return self.metrics.response()

    async def openapi(self, request: Request) -> Response:
        """These addresses as an OpenAPI document."""
        return Response(self._described, media_type="application/json")

    async def docs(self, request: Request) -> Response:
        """These addresses as a page, which loads nothing from elsewhere."""
        policy = {"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"}
        return HTMLResponse(self._page, headers=policy)

    async def _asked(self, request: Request, most: int) -> tuple[str, Tensor]:
        """The contexts of a request, and the form in which it wants its answer."""
        form = Form.of(request.headers.get("content-type", ""))
        answer = form_of_answer(request.headers.get("accept", ""), form.kind)
        async with self._bodies.read(request) as body:
            work = contexts(body, form, self.served.model.shape, most)
            if len(body) <= SMALL:
                async with self._small:
                    await asyncio.sleep(0)
                    return answer, at_once(work)
            return answer, await unless_gone(request, self._reader.finish(work))

    def _forward(self, rows: Tensor) -> Tensor:
        return self.served.model.predict(rows, self.served.precision)


def application(
    served: Served, limits: Limits, log: Log, metrics: Metrics, hosts: Hosts, token: str | None = None
) -> Guard:
    """The ASGI application of a model."""
    service = Service(served, limits, metrics, token=token is not None)
    routes = service.routes()
    app = Starlette(
        routes=routes,
        lifespan=service.living,
        exception_handlers={Refusal: _refused, HTTPException: _not_there, Gone: _left, Exception: _faulty},
    )
    app.router.redirect_slashes = False
    return Guard(app, frozenset(route.path for route in routes), hosts, token, limits, log, metrics)


async def health(request: Request) -> Response:
    """That the server lives; it waits for nothing."""
    return Response(b'{"status":"ok"}', media_type="application/json")


async def unless_gone(request: Request, work: Awaitable[T]) -> T:
    """Wait for work for as long as the client does.

    Raises:
        Gone: it left; the work is cancelled.
    """
    task, gone = asyncio.ensure_future(work), asyncio.ensure_future(request.receive())
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Gone
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


def _nearest(corpus: Corpus, rows: Tensor, found: Tensor, count: int) -> Turns[list[list[list[dict[str, Any]]]]]:
    """For each context and step the nearest chunks."""
    given = []
    for context, predicted in zip(rows, found, strict=True):
        steps = yield from neighbours(corpus, context, predicted, count)
        given.append([[attrs.asdict(one) for one in step] for step in steps])
    return given


def _json(document: dict[str, Any]) -> bytes:
    """Halves of surrogate pairs, which titles of others may hold, become `?`."""
    return to_json(document, indent=None).encode("utf-8", "replace")


def _number(request: Request, name: str, least: int, most: int, *, default: int | None = None) -> int:
    """A parameter of the address.

    Raises:
        Refusal: it is missing, stands there twice, or is no number between these.
    """
    said = request.query_params.getlist(name)
    if not said and default is not None:
        return default
    if (
        len(said) == 1
        and said[0].isascii()
        and said[0].isdecimal()
        and len(said[0]) <= 9
        and least <= int(said[0]) <= most
    ):
        return int(said[0])
    what = f"{name} is no number from {least} to {most:,}" if said else f"the address does not say {name}"
    expected = f"{request.scope['path']}?{name}=N, N from {least} to {most:,}"
    raise Refusal(422, what, where=f"?{name}=", expected=expected)


async def _refused(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, Refusal)
    return problem.response()


async def _faulty(request: Request, problem: Exception) -> Response:
    return FAULT.response()


async def _left(request: Request, problem: Exception) -> Response:
    return Response(status_code=LEFT)


async def _not_there(request: Request, problem: Exception) -> Response:
    assert isinstance(problem, HTTPException)
    headers = dict(problem.headers or {})
    said = {404: "there is nothing at this address", 405: "this address takes another method"}
    what = said.get(problem.status_code) or HTTPStatus(problem.status_code).phrase
    allowed = headers.get("Allow") if problem.status_code == 405 else None
    return Refusal(problem.status_code, what, expected=allowed, fix="GET /docs", headers=headers).response()
