"""Bodies of requests, read within bounds of size and time, and counted against what all of them may hold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from lvmcore.serving.limits import Limits
from lvmcore.serving.refusal import Gone, Refusal, busy


class Bodies:
    """Reads bodies; knows how many bytes are held."""

    def __init__(self, limits: Limits) -> None:
        self.limits, self.held = limits, 0

    @asynccontextmanager
    async def read(self, request: Request) -> AsyncIterator[bytearray]:
        """The body of a request, whose bytes count until the block ends.

        Raises:
            Refusal: 413 before anything is read where its length is said, else as soon as it is too long; 408 where
                it comes too slowly; 415 where it is compressed; 503 where all bodies together are too much.
            Gone: the client left.
        """
        if request.headers.get("content-encoding", "identity") != "identity":
            raise Refusal(415, "the body is compressed", where="the header content-encoding", expected="a plain body")
        if _said(request) > self.limits.body:
            raise self._too_long()
        body = bytearray()
        try:
            try:
                await self._fill(body, request)
            except TimeoutError:
                raise Refusal(
                    408,
                    "the body came too slowly",
                    where=f"after {len(body):,} bytes",
                    expected=f"{self.limits.body_rate:,.0f} bytes a second",
                ) from None
            yield body
        finally:
            self.held -= len(body)

    async def _fill(self, body: bytearray, request: Request) -> None:
        async with asyncio.timeout(self.limits.body_within) as deadline:
            first = deadline.when() or 0
            while True:
                message = await request.receive()
                if message["type"] != "http.request":
                    raise Gone
                chunk = message.get("body", b"")
                if len(body) + len(chunk) > self.limits.body:
                    raise self._too_long()
                if self.held + len(chunk) > self.limits.bodies:
                    raise busy("the server holds as many bytes of requests as it may", 1)
                self.held += len(chunk)
                body += chunk
                if not message.get("more_body", False):
                    return
                deadline.reschedule(first + len(body) / self.limits.body_rate)

    def _too_long(self) -> Refusal:
        return Refusal(
            413,
            f"the body is longer than {self.limits.body:,} bytes",
            expected=f"at most {self.limits.body:,} bytes",
            fix="several requests, or float16 as application/octet-stream, which is ten times shorter than JSON",
        )


def _said(request: Request) -> int:
    """The length that the headers say; 0 where they say none."""
    try:
        return int(request.headers.get("content-length", "0")[:20])
    except ValueError:
        raise Refusal(400, "the header content-length is no number", where="the header content-length") from None
