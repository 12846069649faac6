"""What a client is told when it gets no answer: a status, and the program's one shape of an error as JSON."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from starlette.responses import Response

from lvmcore.errors import LvmError
from lvmcore.plain import clean


class Refusal(LvmError):  # noqa: N818 - it is what a client is told
    """A request that gets no answer. What it says never holds what the client sent.

    Args:
        status: of HTTP.
        headers: further ones of the response.
    """

    def __init__(
        self,
        status: int,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        fix: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(what, where=where, expected=expected, fix=fix)
        self.status, self.headers = status, dict(headers or {})

    def response(self) -> Response:
        return Response(document(self), self.status, self.headers, "application/json")


class Gone(Exception):  # noqa: N818 - nobody is told
    """The client left before it had its answer."""


def document(problem: LvmError) -> bytes:
    """`{"error": {"what": …, "where": …, "expected": …, "try": …}}`; null where there is nothing to say."""
    said = {"what": problem.what, "where": problem.where, "expected": problem.expected, "try": problem.fix}
    return orjson.dumps({"error": {label: clean(text) if text else None for label, text in said.items()}})


def busy(what: str, seconds: int) -> Refusal:
    """503, to be tried again after some seconds."""
    fix = f"the same request in {seconds} s"
    return Refusal(503, what, fix=fix, headers={"retry-after": str(seconds)})


FAULT = Refusal(500, "a fault in the server, which has written it down")
"""What is said of an error that nobody foresaw."""
