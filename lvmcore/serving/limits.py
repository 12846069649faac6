"""What one client can take: bytes, predictions, connections and seconds."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Limits:
    """The bounds of a server."""

    body: int = 32_000_000
    """Bytes of a request's body."""
    bodies: int = 256_000_000
    """Bytes of all bodies that are held at a time."""
    queue: int = 16_384
    """Predictions that wait at a time."""
    predictions: int = 4_096
    """Predictions of one request: contexts times steps."""
    searched: int = 64
    """Predictions of one request whose nearest chunks are looked for."""
    searches: int = 16
    """Requests whose nearest chunks are looked for at a time."""
    neighbours: int = 100
    """Nearest chunks of a prediction."""
    connections: int = 512
    """Connections at a time; from there on, the one that has sent no request for longest makes room."""
    header: int = 16_384
    """Bytes of a request's line and headers."""

    headers_within: float = 10
    """Seconds until the headers of a request are there, from when its connection is free for it."""
    keep_alive: int = 5
    """Seconds that an idle connection is kept."""
    body_within: float = 10
    """Seconds until a body is there, and longer by those that what came takes at `body_rate`."""
    body_rate: float = 16_000
    """Bytes a second that a body has to come with in the long run."""
    unread_within: float = 20
    """Seconds in which a client has to take something of its answer."""
    drained_within: float = 5
    """Seconds that the rest of a refused body is thrown away, so that the client gets to read why."""
    stop_within: int = 7
    """Seconds that requests under way are given when the server stops; what is left then is refused."""
    turn: float = 0.05
    """Seconds that the model is to compute at a time; then others' contexts have their turn."""
