"""Where a server listens, under which names it is reached, and whether that needs a token."""

from __future__ import annotations

import contextlib
import ipaddress
import os
import re
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import attrs

from lvmcore.errors import LvmError, MachineError

TOKEN = "LVM_TOKEN"
"""The variable with the token that clients show."""
SHORTEST = 16
"""Characters of a token that strangers could try to guess."""

_HOST = re.compile(r"(\[[0-9a-f:.%]+\]|[^\[\]:]*)(:\d{1,5})?", re.IGNORECASE | re.ASCII)


@attrs.frozen
class Hosts:
    """The hosts that a request may name: a page whose own name was turned to this address names another.

    Args:
        names: in small letters; None for any, where no browser can come.
    """

    names: frozenset[str] | None

    def allow(self, header: str) -> bool:
        """Whether a header `host` names this server; an address does, for only a name can be turned."""
        if self.names is None:
            return True
        found = _HOST.fullmatch(header)
        return bool(found) and (
            found[1].lower().rstrip(".") in self.names or _address(found[1].strip("[]")) is not None
        )

    @property
    def expected(self) -> str:
        return ", ".join(["an address", *sorted(self.names or ())])


@attrs.frozen(eq=False)
class Door:
    """A socket that listens."""

    socket: socket.socket
    url: str
    """Where it is reached: `http://…`, or `unix:PATH`."""
    strangers: bool
    """Whether others than this machine's users reach it."""
    hosts: Hosts


@attrs.frozen
class Address:
    """Where a server is to listen."""

    host: str
    port: int
    uds: Path | None = None
    """A Unix socket, in place of host and port."""
    names: frozenset[str] = frozenset()
    """By which clients call the host, besides itself and localhost."""

    def listening(self) -> contextlib.AbstractContextManager[Door]:
        return listening(self.host, self.port, self.names) if self.uds is None else listening_at(self.uds)


@contextlib.contextmanager
def listening(host: str, port: int, names: frozenset[str] = frozenset()) -> Iterator[Door]:
    """Listen to a port.

    Args:
        host: an address or a name of this machine; 127.0.0.1, ::1 and localhost reach this machine's users alone.
        port: 0 for any that is free.
        names: by which clients call it, besides `host` and localhost.

    Raises:
        MachineError: there is no such host here, or the port is taken.
    """
    try:
        family, _, _, _, at = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        both = family == socket.AF_INET6 and host == "::" and socket.has_dualstack_ipv6()
        door = socket.create_server(at[:2], family=family, dualstack_ipv6=both)  # pyright: ignore[reportArgumentType]
    except (OSError, UnicodeError) as problem:
        why = getattr(problem, "strerror", None) or str(problem)
        raise MachineError(f"nothing can listen there: {why}", where=f"{host}:{port}", fix="another --port") from None
    with door:
        address = _address(str(at[0]))
        shown = f"[{host}]" if ":" in host else host
        known = Hosts(frozenset({"localhost", host.lower(), *(name.lower() for name in names)}))
        strangers = address is None or not address.is_loopback
        yield Door(door, f"http://{shown}:{door.getsockname()[1]}", strangers, known)


@contextlib.contextmanager
def listening_at(path: Path) -> Iterator[Door]:
    """Listen to a Unix socket, which this user alone may open; it is removed in the end.

    Raises:
        LvmError: something else than a socket is there, or a server listens to it already.
        MachineError: it cannot be made.
    """
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with door:
        try:
            _make_room(path)
            before = os.umask(0o177)
            try:
                door.bind(str(path))
            finally:
                os.umask(before)
            door.listen(2048)
            made = path.stat().st_ino
        except OSError as problem:
            why = problem.strerror or str(problem)
            raise MachineError(f"nothing can listen there: {why}", where=str(path), fix="another --uds") from None
        try:
            yield Door(door, f"unix:{path.absolute()}", False, Hosts(None))
        finally:
            with contextlib.suppress(OSError):
                if path.stat().st_ino == made:
                    path.unlink()


def token_of(door: Door) -> str | None:
    """The token that clients must show, from LVM_TOKEN; None where there is none.

    Raises:
        LvmError: strangers reach the door, and there is no token, or one that is too short.
    """
    token = os.environ.get(TOKEN, "")
    if token and (not token.isascii() or not token.isprintable() or " " in token):
        raise LvmError("the token holds what no header may", where=TOKEN, expected="letters, digits and signs of ASCII")
    if door.strangers and len(token) < SHORTEST:
        raise LvmError(
            "the token is short enough to be guessed" if token else "strangers would reach the model without a token",
            where=f"{door.url}, {TOKEN}",
            expected=f"at least {SHORTEST} characters, which clients show as 'Authorization: Bearer …'",
            fix=f"export {TOKEN}=$(python3 -c 'import secrets; print(secrets.token_urlsafe())'), or --host 127.0.0.1",
        )
    return token or None


def _make_room(path: Path) -> None:
    """Remove what a server left that was killed."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise LvmError("there is a file that is no socket", where=str(path), fix="another --uds")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knock:
        try:
            knock.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
    raise LvmError("a server listens there already", where=str(path), fix="another --uds")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
