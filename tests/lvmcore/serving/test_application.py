"""What a server answers, in each form, and what it refuses: with the place at fault, and never with what was sent."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pytest
import safetensors.torch
import torch
from serving import CONTEXT, DIM, JSON, guarded, toy
from starlette.testclient import TestClient

from lvmcore.data.corpus import Corpus
from lvmcore.prediction.neighbours import neighbours
from lvmcore.registry import Registry
from lvmcore.serving.application import SMALL, Served
from lvmcore.serving.description import REFUSALS
from lvmcore.serving.forms import answers, json_contexts
from lvmcore.serving.forms.contexts import OCTETS, SAFETENSORS
from lvmcore.serving.limits import Limits
from lvmcore.turns import at_once

ROW = [1.0] * DIM


@pytest.fixture
def served(registry: Registry) -> Served:
    return toy(registry)


@pytest.fixture
def web(served: Served) -> Iterator[TestClient]:
    with TestClient(guarded(served)) as web:
        yield web


def drawn(count: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(count, CONTEXT, DIM, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def octets(rows: torch.Tensor, shape: object = None) -> dict[str, str]:
    said = ",".join(map(str, rows.shape if shape is None else shape))  # pyright: ignore[reportArgumentType]
    return {"content-type": f"{OCTETS};dtype={str(rows.dtype)[6:]};shape={said}"}


def refused(answer: Any, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.json().keys() == {"error"}
    assert answer.json()["error"].keys() == {"what", "where", "expected", "try"}
    assert len(answer.content) < 600
    return answer.json()["error"]


def test_predictions_are_the_models_of_rows_of_any_length(served: Served, web: TestClient) -> None:
    contexts = drawn(3) * torch.tensor([7, 1e200, 1e-200], dtype=torch.float64)[:, None, None]
    answer = web.post("/predict", json={"contexts": contexts.tolist()})
    with torch.inference_mode():
        raw = served.model(torch.nn.functional.normalize(contexts / contexts.abs().amax((1, 2), True), dim=-1).float())
    expected = torch.nn.functional.normalize(raw, dim=-1)
    assert answer.json()["model"] == "toy"
    torch.testing.assert_close(torch.tensor(answer.json()["predictions"]), expected, rtol=1e-5, atol=1e-6)
    assert web.get("/").json() == {"model": "toy", "dim": DIM}


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_the_same_contexts_get_the_same_answer_in_every_form(
    dtype: torch.dtype, served: Served, web: TestClient
) -> None:
    rows = drawn(4).to(dtype)
    expected = served.model.rollout(rows, 3)
    plain = rows.numpy().tobytes()
    saved = safetensors.torch.save({"contexts": rows})
    by_json = web.post("/rollout?steps=3", json={"contexts": rows.double().tolist()})
    by_octets = web.post("/rollout?steps=3", content=plain, headers=octets(rows))
    by_safetensors = web.post("/rollout?steps=3", content=saved, headers={"content-type": SAFETENSORS})
    assert by_octets.headers["content-type"] == f"{OCTETS};dtype=float32;shape=4,3,{DIM}"
    found = [
        torch.tensor(by_json.json()["predictions"]),
        torch.from_numpy(np.frombuffer(by_octets.content, "<f4").copy()).view(4, 3, DIM),
        safetensors.torch.load(by_safetensors.content)["predictions"],
    ]
    for one in found:
        torch.testing.assert_close(one, expected, rtol=0, atol=1e-6)
    other = web.post(
        "/rollout?steps=3", content=plain, headers={**octets(rows), "accept": "text/html, application/json"}
    )
    torch.testing.assert_close(torch.tensor(other.json()["predictions"]), expected, rtol=0, atol=1e-6)


def test_many_contexts_are_read_and_written_in_pieces(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_contexts, "PIECE", 1000)
    monkeypatch.setattr(answers, "PIECE", 5000)
    rows = drawn(900)
    with TestClient(guarded(served)) as web:
        body = json.dumps({"contexts": rows.tolist()}, indent=1).encode()
        assert len(body) > SMALL
        answer = web.post("/rollout?steps=4", content=body, headers=JSON)
    assert answer.status_code == 200, answer.text
    assert "content-length" not in answer.headers
    expected = served.model.rollout(rows, 4)
    torch.testing.assert_close(torch.tensor(answer.json()["predictions"]), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("rows", "said", "where"),
    [
        ([ROW] * 4, "context 1 has 4 rows; this model reads 5", "contexts[1]"),
        ([ROW] * 4 + [[1.0] * 3], "row 4 of context 1 has 3 numbers; this model reads 8", "contexts[1][4]"),
        ([ROW] * 2 + [[0.0] * DIM] * 3, "row 2 of context 1 is no direction: not finite, or all 0", None),
        (
            [ROW] * 4 + [[*ROW[:-1], "no"]],
            "what stands at place 7 of row 4 of context 1 is no number",
            "contexts[1][4][7]",
        ),
        (
            [ROW] * 4 + [[True, *ROW[1:]]],
            "what stands at place 0 of row 4 of context 1 is no number",
            "contexts[1][4][0]",
        ),
        ([ROW] * 4 + [None], "row 4 of context 1 is no list; this model reads 8", "contexts[1][4]"),
        ({}, "context 1 is no list; this model reads 5", "contexts[1]"),
    ],
)
def test_what_is_no_context_is_refused_by_number(rows: Any, said: str, where: str | None, web: TestClient) -> None:
    error = refused(web.post("/predict", json={"contexts": [[ROW] * CONTEXT, rows]}), 422)
    assert (error["what"], error["where"]) == (said, where)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400), (b"{", 400), (b'{"contexts": "\\ud800"}', 400), (b"\xff\xfe", 400), (b"[" * 5000, 400),
        (b'{"contexts": [[[NaN]]]}', 400), (b'{"contexts": [[[1e999]]]}', 400), (b"\x00" * 100, 400),
        (b"[]", 422), (b"3", 422), (b'{"contexts": []}', 422), (b'{"contexts": 3}', 422),
        (b'{"contexts": [[["a"]]]}', 422),
        (b'{"contexts": [], "steps": 3}', 422), (b'{"Contexts": [[]]}', 422),
    ],
)  # fmt: skip
def test_another_document_is_refused(body: bytes, status: int, web: TestClient) -> None:
    refused(web.post("/predict", content=body, headers=JSON), status)


def test_a_refusal_never_holds_what_was_sent(web: TestClient) -> None:
    mark = "attack-0123456789"
    bodies = [
        json.dumps({"contexts": mark}), json.dumps({mark: 1}), json.dumps({"contexts": [[[mark] * DIM] * CONTEXT]}),
        json.dumps({"contexts": [mark * 10_000]}), mark, f'{{"contexts": {mark}}}',
    ]  # fmt: skip
    answers = [web.post("/predict", content=body, headers=JSON) for body in bodies]
    held = {"contexts": torch.ones(1, CONTEXT, DIM), mark: torch.ones(1)}
    saved = safetensors.torch.save(held)
    answers += [
        web.post("/predict", content=saved, headers={"content-type": SAFETENSORS}),
        web.post("/predict", content=b"", headers={"content-type": mark}),
        web.post("/predict", content=b"", headers={"content-type": f"{OCTETS};dtype={mark}"}),
        web.post("/predict", json={"contexts": [[ROW] * CONTEXT]}, headers={"accept": mark}),
        web.post(f"/rollout?steps={mark}", json={"contexts": [[ROW] * CONTEXT]}),
        web.get(f"/{mark}"),
    ]
    for answer in answers:
        assert mark not in answer.text
        refused(answer, answer.status_code)
        assert 400 <= answer.status_code < 500


@pytest.mark.parametrize(
    "said",
    [
        "",
        "dtype=float16",
        "shape=1,5,8",
        "dtype=int8;shape=1,5,8",
        "dtype=float32;shape=5,8",
        "dtype=float32;shape=1,5,9",
        "dtype=float32;shape=999999999,999999999,999999999",
        "dtype=float32;shape=-1,5,8",
        "dtype=float32;shape=٣,5,8",
        "dtype=float16;shape=1,5,8",
    ],
)
def test_plain_numbers_must_say_their_type_and_shape(said: str, web: TestClient) -> None:
    body = torch.ones(1, CONTEXT, DIM).numpy().tobytes()
    refused(web.post("/predict", content=body, headers={"content-type": f"{OCTETS};{said}".encode()}), 422)


def test_another_shape_is_refused_though_the_bytes_would_do(web: TestClient) -> None:
    rows = torch.ones(5, 1, DIM)
    error = refused(web.post("/predict", content=rows.numpy().tobytes(), headers=octets(rows)), 422)
    assert error["what"] == "contexts have the shape (5, 1, 8)"


@pytest.mark.parametrize(
    ("held", "status"),
    [
        ({"contexts": torch.ones(1, CONTEXT, DIM, dtype=torch.int64)}, 422),
        ({"contexts": torch.ones(0, CONTEXT, DIM)}, 422),
        ({"contexts": torch.ones(CONTEXT, DIM)}, 422),
        ({"other": torch.ones(1, CONTEXT, DIM)}, 422),
        ({}, 422),
        ({"contexts": torch.full((1, CONTEXT, DIM), torch.inf)}, 422),
    ],
)
def test_other_tensors_are_refused(held: dict[str, torch.Tensor], status: int, web: TestClient) -> None:
    body = safetensors.torch.save(held)
    refused(web.post("/predict", content=body, headers={"content-type": SAFETENSORS}), status)


def file(header: str, data: bytes = b"") -> bytes:
    return len(header).to_bytes(8, "little") + header.encode() + data


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\x00" * 7,
        b"\xff" * 100,
        (1 << 40).to_bytes(8, "little"),
        file("nope"),
        file('{"contexts":{"dtype":"F32","shape":[1,5,8],"data_offsets":[0,160]}}'),
        file('{"contexts":{"dtype":"F32","shape":[9223372036854775807,4],"data_offsets":[0,0]}}'),
        file('{"contexts":{"dtype":"F32","shape":[9223372036854775807,0],"data_offsets":[0,0]}}'),
        file('{"contexts":{"dtype":"F8_E8M0","shape":[1],"data_offsets":[0,1]}}', b"x"),
        file('{"contexts":{"dtype":"C64","shape":[1],"data_offsets":[0,8]}}', b"x" * 8),
        file('{"contexts":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}', b"x"),
    ],
)
def test_another_file_is_refused(body: bytes, web: TestClient) -> None:
    answer = web.post("/predict", content=body, headers={"content-type": SAFETENSORS})
    refused(answer, answer.status_code)
    assert answer.status_code in (400, 422)


def test_requests_have_limits(served: Served) -> None:
    with TestClient(guarded(served, Limits(body=5_000, predictions=8))) as web:
        error = refused(web.post("/predict", content=b" " * 5_001, headers=JSON), 413)
        assert error["expected"] == "at most 5,000 bytes"
        chunks = (b" " * 1_000 for _ in range(6))
        refused(web.post("/predict", content=chunks, headers=JSON), 413)
        rows = drawn(9).half()
        refused(web.post("/predict", content=rows.numpy().tobytes(), headers=octets(rows)), 422)
        rows = rows[:3]
        refused(web.post("/rollout?steps=3", content=rows.numpy().tobytes(), headers=octets(rows)), 422)
        assert web.post("/rollout?steps=2", content=rows.numpy().tobytes(), headers=octets(rows)).status_code == 200
        for steps in ("", "0", "9", "-1", "1.5", "x", "１", "1&steps=2", "9" * 5000):
            error = refused(web.post(f"/rollout?steps={steps}", json={"contexts": [[ROW] * CONTEXT]}), 422)
            assert error["where"] == "?steps="
    with TestClient(guarded(served, Limits(bodies=100))) as web:
        answer = web.post("/predict", json={"contexts": [[ROW] * CONTEXT]})
        refused(answer, 503)
        assert answer.headers["retry-after"] == "1"
    with TestClient(guarded(served, Limits(queue=2))) as web:
        refused(web.post("/predict", json={"contexts": [[ROW] * CONTEXT] * 3}), 503)


def test_other_addresses_methods_and_forms_are_refused(web: TestClient) -> None:
    body = {"contexts": [[ROW] * CONTEXT]}
    refused(web.get("/nowhere"), 404)
    refused(web.get("/predict/"), 404)
    answer = web.get("/predict")
    refused(answer, 405)
    assert answer.headers["allow"] == "POST"
    refused(web.post("/predict", content=json.dumps(body), headers={"content-type": "text/plain"}), 415)
    refused(web.post("/predict", content=b"", headers={**JSON, "content-encoding": "gzip"}), 415)
    refused(web.post("/predict", json=body, headers={"accept": "image/png"}), 406)
    assert web.post("/predict", json=body, headers={"accept": "image/png, */*;q=0.1"}).status_code == 200
    assert web.head("/health").status_code == 200
    assert refused(web.post("/nearest", json=body), 404)["try"] == "lvm serve --data FILE"


def test_a_prediction_that_is_no_direction_is_not_given(served: Served) -> None:
    for parameter in served.model.parameters():
        parameter.data.fill_(torch.nan)
    with TestClient(guarded(served)) as web:
        error = refused(web.post("/predict", json={"contexts": [[ROW] * CONTEXT]}), 500)
        assert error["what"] == "the model's prediction is no direction: not finite, or 0"


def test_nearest_chunks_are_those_of_the_search(registry: Registry, corpus: Corpus) -> None:
    served = toy(registry, corpus, corpus.dim)
    rows = corpus.rows(torch.arange(10)).view(2, CONTEXT, corpus.dim)
    with TestClient(guarded(served)) as web:
        answer = web.post("/nearest?steps=2&count=3", json={"contexts": rows.tolist()})
        refused(web.post("/nearest?steps=65", json={"contexts": rows.tolist()}), 422)
        refused(web.post("/nearest?count=0", json={"contexts": rows.tolist()}), 422)
    found = answer.json()
    assert found["corpus"] == "small"
    predicted = served.model.rollout(rows, 2)
    for context, vectors, given in zip(rows, predicted, found["nearest"], strict=True):
        expected = at_once(neighbours(corpus, context, vectors, 3))
        assert [[one["row"] for one in step] for step in given] == [[one.row for one in step] for step in expected]


def test_only_a_name_or_an_address_of_the_server_is_taken(web: TestClient) -> None:
    for host in ("localhost", "LOCALHOST:9007", "testserver.", "127.0.0.1", "127.0.0.1:80", "[::1]:9007", "10.1.2.3"):
        assert web.get("/health", headers={"host": host}).status_code == 200, host
    for host in (
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "",
        "a b",
        "localhost:x",
        "[evil]",
    ):
        refused(web.get("/health", headers={"host": host}), 421)


def test_all_but_health_needs_the_token(served: Served) -> None:
    token = "a-token-of-some-length"
    with TestClient(guarded(served, token=token)) as web:
        assert web.get("/health").status_code == 200
        for path in ("/", "/docs", "/metrics", "/openapi.json", "/nowhere"):
            for shown in (
                {},
                {"authorization": token},
                {"authorization": f"Bearer {token}x"},
                {"authorization": "Bearer ü"},
            ):
                answer = web.get(path, headers={name: value.encode() for name, value in shown.items()})
                refused(answer, 401)
                assert answer.headers["www-authenticate"] == "Bearer"
        assert web.get("/docs", headers={"authorization": f"Bearer {token}"}).status_code == 200
        refused(web.post("/predict", content=b"{}", headers=JSON), 401)


def test_what_is_counted_can_be_read(web: TestClient) -> None:
    rows = drawn(3).half()
    web.post("/predict", content=rows.numpy().tobytes(), headers=octets(rows))
    web.get("/some/invention")
    text = web.get("/metrics").text
    assert 'lvm_requests_total{path="/predict",status="200"} 1.0' in text
    assert 'lvm_requests_total{path="other",status="404"} 1.0' in text
    assert f"lvm_received_bytes_total {rows.numel() * 2}.0" in text
    assert "lvm_slice_contexts_sum 3.0" in text
    assert "lvm_waiting_predictions 0.0" in text
    assert "lvm_held_bytes 0.0" in text
    assert "invention" not in text


def test_the_page_tells_of_every_address_and_loads_nothing(registry: Registry, corpus: Corpus) -> None:
    app = guarded(toy(registry, corpus, corpus.dim))
    with TestClient(app) as web:
        described, page = web.get("/openapi.json").json(), web.get("/docs")
    assert set(described["paths"]) == app.paths
    assert all(path in page.text for path in app.paths)
    assert all(status in page.text for status in REFUSALS)
    assert not re.search(r"<script|<link|<img|src=|https?:|url\(|@import", page.text)
    assert page.headers["content-security-policy"].startswith("default-src 'none'")


def test_what_others_wrote_of_a_model_is_json_all_the_same(registry: Registry) -> None:
    served = toy(registry)
    odd = Served("od\ud800d", served.model, "fp32", {"title": "\x1b[2J\u2028", "loss": float("nan")})
    with TestClient(guarded(odd)) as web:
        assert web.get("/").json() == {"model": "od\ufffdd", "title": "\x1b[2J\u2028", "loss": None}
        assert web.get("/docs").status_code == 200
        answer = web.post("/predict", json={"contexts": [[ROW] * CONTEXT]})
        assert orjson.loads(answer.content)["model"] == "od\ufffdd"
