"""Around the application: who is let in, what every answer says, and what is written down of every exchange."""

from __future__ import annotations

import asyncio
import hmac
import time
import traceback
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lvmcore.serving.door import Hosts
from lvmcore.serving.limits import Limits
from lvmcore.serving.refusal import FAULT, Gone, Refusal, busy
from lvmcore.serving.wire.log import Line, Log
from lvmcore.serving.wire.metrics import Metrics

OPEN = ("/health",)
"""Paths that need no token."""
ALWAYS = [(b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store")]
"""Headers of every answer."""
LEFT = 499
"""The status that is written down where the client left before it was told one."""


class Guard:
    """Lets requests through that come to a name of this server, and with its token where it has one.

    Args:
        paths: those that the application knows.
    """

    def __init__(
        self,
        app: ASGIApp,
        paths: frozenset[str],
        hosts: Hosts,
        token: str | None,
        limits: Limits,
        log: Log,
        metrics: Metrics,
    ) -> None:
        self.app, self.paths, self.hosts, self.limits, self.log, self.metrics = app, paths, hosts, limits, log, metrics
        self._bearer = f"Bearer {token}".encode() if token else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, exchange = time.perf_counter(), Exchange(scope, receive, send, self.limits)
        try:
            self._admit(scope)
            await self.app(scope, exchange.receive, exchange.send)
        except Refusal as refusal:
            await exchange.refuse(refusal)
        except Gone:
            pass
        except asyncio.CancelledError:  # time to stop is over
            exchange.drains = False
            await exchange.refuse(busy("the server stops", 10))
        except Exception as problem:
            self.log.say("".join(traceback.format_exception(problem)))
            await exchange.refuse(FAULT)
        finally:
            self._note(exchange, time.perf_counter() - began)

    def _admit(self, scope: Scope) -> None:
        headers = dict(scope["headers"])
        if not self.hosts.allow(headers.get(b"host", b"").decode("latin-1")):
            raise Refusal(
                421,
                "the host that the request names is not this server",
                where="the header host",
                expected=self.hosts.expected,
                fix="lvm serve --allow-host NAME, for a name of this machine",
            )
        if self._bearer is None or scope["path"] in OPEN:
            return
        if not hmac.compare_digest(headers.get(b"authorization", b""), self._bearer):
            raise Refusal(
                401,
                "the request has not the token of this server",
                where="the header authorization",
                expected="Bearer, a space, and the token",
                headers={"www-authenticate": "Bearer"},
            )

    def _note(self, exchange: Exchange, seconds: float) -> None:
        scope, status = exchange.scope, exchange.status or LEFT
        path = scope["path"] if scope["path"] in self.paths else "other"
        self.metrics.exchange(path, status, seconds, exchange.received, exchange.sent)
        client = scope.get("client")
        target = scope.get("raw_path", scope["path"].encode("utf-8", "backslashreplace")).decode("latin-1")
        line = Line(
            client[0] if client else "-", scope["method"], target, status, exchange.received, exchange.sent, seconds
        )
        self.log.exchange(line)


class Exchange:
    """One request and its answer: counted, and ended such that the client gets to read it."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, limits: Limits) -> None:
        self.scope, self.limits = scope, limits
        self._receive, self._send = receive, send
        headers = dict(scope["headers"])
        self._unread = headers.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in headers
        self.drains = b"expect" not in headers  # who waits for leave to send its body has sent none
        self.status, self.received, self.sent = 0, 0, 0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self.drains = True
            self.received += len(message.get("body", b""))
            self._unread = message.get("more_body", False)
        else:
            self._unread = False
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = [*message.get("headers", []), *ALWAYS]
            if self._unread:  # what follows on this connection is the rest of the body
                headers.append((b"connection", b"close"))
            await self._send({**message, "headers": headers})
            return
        self.sent += len(message.get("body", b""))
        last = not message.get("more_body", False)
        if last and self._unread and self.drains:
            await self._send({**message, "more_body": True})
            await self._drain()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal; where an answer has begun, break it off."""
        if not self.status:
            await refusal.response()(self.scope, self.receive, self.send)

    async def _drain(self) -> None:
        """Throw the rest of the body away for a while: who closes on what it hasn't read takes the answer along."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.limits.drained_within):
                while self._unread:
                    await self.receive()
