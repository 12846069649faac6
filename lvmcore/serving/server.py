"""A server from its door to its end."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import Any, TextIO

import uvicorn

from lvmcore.checkpoint import load_model
from lvmcore.data.corpus import Corpus
from lvmcore.device import resolve
from lvmcore.errors import MachineError
from lvmcore.registry import Registry
from lvmcore.runs.run import Run
from lvmcore.runs.serving import deployed
from lvmcore.runs.subject import Subject
from lvmcore.serving.application import Served, application
from lvmcore.serving.door import Address, Door, Hosts, token_of
from lvmcore.serving.limits import Limits
from lvmcore.serving.wire.connection import Connection
from lvmcore.serving.wire.log import Line, Log
from lvmcore.serving.wire.metrics import Metrics

SWITCH = 0.0005
"""Seconds after which a thread that computes lets another have the interpreter."""


def serve(
    subject: Subject,
    registry: Registry,
    corpus: Corpus | None,
    precision: str,
    device: str,
    address: Address,
    limits: Limits | None,
    log: TextIO | None,
    tell: Callable[[str], None],
    warn: Callable[[str], None],
) -> None:
    """Serve a model until a signal; as long as it lasts, the run's folder says where.

    Args:
        corpus: in which the nearest chunks are looked for; None for none.
        log: where a line is written for each request.
        tell: told where the server is.
        warn: told what may not have been meant.

    Raises:
        LvmError: what is meant is no model, or doesn't fit the corpus; strangers would need no token.
        MachineError: nothing can listen there.
    """
    found = served(subject, registry, corpus, precision, device)
    with ExitStack() as held:
        door = held.enter_context(address.listening())
        token = token_of(door)
        if subject.run:
            try:
                held.enter_context(deployed(subject.run.path, door.url))
            except MachineError as problem:  # a store of models may well be read-only
                warn(f"lvm compare will not know of it: {problem.what}")
        described = f", described at {door.url}/docs" if door.url.startswith("http") else ""
        run(
            found,
            door,
            token,
            limits or Limits(),
            log,
            lambda: tell(f"{found.name} at {door.url}{described}; Ctrl-C ends it"),
        )


def served(subject: Subject, registry: Registry, corpus: Corpus | None, precision: str, device: str) -> Served:
    """A model ready to be served: it, and what is told of it.

    Raises:
        LvmError: what is meant is no model, or does not fit the corpus.
    """
    model, header = load_model(subject.weights(), registry)
    if corpus is not None:
        subject.require_width(model, corpus)
    precision = resolve(precision, device)
    about = {**header, "parameters": model.parameter_count, "precision": precision, **_figures(subject.run)}
    return Served(subject.name, model.eval().to(device), precision, about, corpus)


def _figures(run: Run | None) -> dict[str, Any]:
    """What the run was measured at, VAL and gates."""
    evaluation = run.document_by() if run else None
    if not evaluation:
        return {}
    val, gates = evaluation["splits"]["val"], evaluation["gates"]
    figures = {"val_cos": val["cosine"], "margin": val["A"]["margin"], "r5": val["B"]["all"]["r5"]}
    return {"figures": figures, "gates": f"{gates['profile']} {gates['passed']}/{gates['of']}"}


def run(
    served: Served, door: Door, token: str | None, limits: Limits, stream: TextIO | None, ready: Callable[[], None]
) -> None:
    """Serve until a signal, SIGINT or SIGTERM; requests under way are given some seconds, then refused.

    Args:
        stream: where a line is written for each request; None for none. Faults of the server are told in any case.
        ready: called when it listens.
    """
    log, before = Log(stream), sys.getswitchinterval()
    faults = logging.getLogger("uvicorn.error")
    faults.addHandler(log)
    faults.propagate = False
    # each operation of torch takes the interpreter back from the loop, and waits for it as long as this
    sys.setswitchinterval(SWITCH)
    # what was imported is not looked through again and again for garbage, which takes a tenth of a second each time
    gc.collect()
    gc.freeze()
    try:
        ready()
        web_server(served, door.hosts, token, limits, log).run(sockets=[door.socket])
    finally:
        gc.unfreeze()
        sys.setswitchinterval(before)
        faults.removeHandler(log)
        log.stop()


def web_server(served: Served, hosts: Hosts, token: str | None, limits: Limits, log: Log) -> uvicorn.Server:
    """uvicorn with the model's application, and connections that have deadlines."""
    metrics = Metrics()

    def note(client: str, status: int) -> None:
        log.exchange(Line(client, "-", "-", status, 0, 0, 0))
        metrics.exchange("other", status, 0, 0, 0)

    return uvicorn.Server(
        uvicorn.Config(
            application(served, limits, log, metrics, hosts, token),
            http=partial(Connection, limits=limits, note=note),  # pyright: ignore[reportArgumentType]
            loop="asyncio",
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=limits.keep_alive,
            timeout_graceful_shutdown=limits.stop_within,
            h11_max_incomplete_event_size=limits.header,
        )
    )
