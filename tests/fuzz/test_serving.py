"""Any bytes at all are predictions or a refusal of the one form, and the server goes on as before.

By default 1,000 bodies and 200 streams of bytes that need not be HTTP; `LVM_FUZZ=20000 pytest tests/fuzz -s` takes as
many as it is told, and each time others.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from http.client import HTTPConnection

import attrs
import pytest
import safetensors.torch
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mutation import FUZZ, mutated
from serving import CONTEXT, DIM, QUICK, Live, live, received, request, toy

from lvmcore.registry import Registry
from lvmcore.serving.forms.contexts import JSON, OCTETS, SAFETENSORS

BODIES = settings(FUZZ, max_examples=int(os.environ.get("LVM_FUZZ", "1000")))

ROWS = torch.randn(2, CONTEXT, DIM, generator=torch.Generator().manual_seed(0))
SOUND = {
    JSON: json.dumps({"contexts": ROWS.tolist()}).encode(),
    SAFETENSORS: safetensors.torch.save({"contexts": ROWS}),
    f"{OCTETS};dtype=float32;shape=2,{CONTEXT},{DIM}": ROWS.numpy().tobytes(),
}
CONTENTS = st.sampled_from(list(SOUND)).flatmap(lambda kind: st.tuples(st.just(kind), mutated(SOUND[kind])))
STREAMS = mutated(request(SOUND[JSON][:300], "connection: close"))


@pytest.fixture(scope="module")
def server(registry: Registry) -> Iterator[Live]:
    with live(toy(registry), attrs.evolve(QUICK, keep_alive=60, headers_within=60)) as server:
        yield server


def test_any_body_is_answered(server: Live) -> None:
    seen: Counter[int] = Counter()
    web = HTTPConnection("127.0.0.1", server.port, timeout=60)

    @BODIES
    @given(CONTENTS)
    def body(drawn: tuple[str, bytes]) -> None:
        kind, sent = drawn
        web.request("POST", "/predict", sent, {"content-type": kind})
        answer = web.getresponse()
        content = answer.read()
        seen[answer.status] += 1
        assert answer.status in (200, 400, 422)
        if answer.status != 200:
            assert json.loads(content)["error"]["what"]
            assert len(content) < 600

    body()
    web.close()
    _, *times = sorted(server.health() for _ in range(20))
    assert times[0] < 1
    assert seen[200]
    assert seen[400]
    assert seen[422]
    assert "Traceback" not in server.log.getvalue()
    print(dict(seen))


def test_any_stream_is_answered_or_closed(registry: Registry) -> None:
    seen: Counter[str] = Counter()
    with live(toy(registry), attrs.evolve(QUICK, headers_within=0.05, body_within=0.05, drained_within=0.05)) as server:

        @FUZZ
        @given(STREAMS | st.binary(max_size=300))
        def stream(sent: bytes) -> None:
            with server.connect() as door:
                with suppress(ConnectionError):
                    door.sendall(sent)
                found = received(door)
            status = re.match(rb"HTTP/1.1 (\d\d\d) ", found)
            seen[status[1].decode() if status else "closed"] += 1
            assert status or not found
            if status and status[1] not in (b"100", b"200"):
                said, _ = json.JSONDecoder().raw_decode(found.partition(b"\r\n\r\n")[2].decode())
                assert said["error"]["what"]

        stream()
        assert server.health() < 5
        assert "Traceback" not in server.log.getvalue()
    assert not seen["500"]
    assert seen["400"]
    print(dict(seen))
