"""A connection with deadlines: uvicorn's own waits forever for headers, and for a client to take its answer."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from lvmcore.serving.limits import Limits
from lvmcore.serving.refusal import Refusal
from lvmcore.serving.wire.guard import ALWAYS


class Connection(H11Protocol):
    """HTTP/1.1 of one client.

    The headers of a request must be there some seconds after the connection was made, or became free by the answer to
    the one before. A client that takes nothing of its answer for some seconds is cut off. Where there are too many
    connections, the one that has waited for headers for longest makes room.

    Args:
        note: told the client and the status where what came is no request.
    """

    def __init__(self, *words: Any, limits: Limits, note: Callable[[str, int], None], **named: Any) -> None:
        super().__init__(*words, **named)
        self._limits, self._note = limits, note
        self._headers_due: asyncio.TimerHandle | None = None
        self._reading_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        made = transport.get_extra_info("socket")
        if made is not None and made.family in (socket.AF_INET, socket.AF_INET6):
            # headers and body are written one after the other; without it, the second waits 40 ms for the first
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > self._limits.connections:
            self._make_room()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._headers_due = _ended(self._headers_due)
        self._reading_due = _ended(self._reading_due)
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._reading_due = _ended(self._reading_due)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch()

    def shutdown(self) -> None:
        super().shutdown()
        self._watch()

    def send_400_response(self, msg: str) -> None:
        self._refuse(
            Refusal(400, "the request is no HTTP/1.1", expected="a request line, headers, and a body of their length")
        )

    def _watch(self) -> None:
        """Set the deadlines that this state of the connection asks for."""
        if self.transport.is_closing():
            self._headers_due = _ended(self._headers_due)
            self._expect_reading()
        elif self.cycle is None or self.cycle.response_complete:
            self._headers_due = self._headers_due or self.loop.call_later(self._limits.headers_within, self._late)
        else:
            self._headers_due = _ended(self._headers_due)

    def _make_room(self) -> None:
        """Cut off who has waited for its headers for longest; where nobody does, this one."""
        waiting = {one._headers_due.when(): one for one in self._others() if one._headers_due}
        oldest = waiting[min(waiting)] if waiting else self
        oldest._headers_due = _ended(oldest._headers_due)  # it is not chosen again before it is gone
        oldest.transport.abort()

    def _others(self) -> list[Connection]:
        return [one for one in self.connections if isinstance(one, Connection)]

    def _expect_reading(self) -> None:
        """Cut the client off if it doesn't take what is written."""
        within = self._limits.unread_within
        self._reading_due = self._reading_due or self.loop.call_later(within, self.transport.abort)

    def _late(self) -> None:
        self._headers_due = None
        if not self.conn.trailing_data[0]:  # nothing came, so that nobody waits for an answer
            self.transport.close()
            self._watch()
            return
        within = f"{self._limits.headers_within:g} s"
        self._refuse(
            Refusal(408, "the headers of the request came too slowly", expected=f"all of them within {within}")
        )

    def _refuse(self, refusal: Refusal) -> None:
        """Answer what is no request, unless an answer has begun, and close."""
        if self.transport.is_closing():
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            made = refusal.response()
            headers = [*self.server_state.default_headers, *made.raw_headers, *ALWAYS, (b"connection", b"close")]
            for event in (
                h11.Response(status_code=refusal.status, headers=headers),
                h11.Data(data=bytes(made.body)),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
            self._note(self.client[0] if self.client else "-", refusal.status)
        if self.cycle and not self.cycle.response_complete:  # the application is told that nobody listens
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.close()
        self._watch()


def _ended(timer: asyncio.TimerHandle | None) -> None:
    if timer is not None:
        timer.cancel()
