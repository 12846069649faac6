"""What each built-in reader takes of a file, and what it leaves out."""

from __future__ import annotations

import io
import tracemalloc
from itertools import islice
from typing import Any

import pytest

from lvmcore.data.sources.text import PART, Source
from lvmcore.errors import LvmError
from lvmcore.expression import parse_one
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry

REGISTRY = Registry(Plugins(only=()))


def read(term: str, data: bytes | str, name: str = "a.x") -> dict[str, list[str]]:
    held = data.encode() if isinstance(data, str) else data
    reader = REGISTRY.make("reader", parse_one(term)).build()
    return {article.title: list(article.paragraphs) for article in reader(Source(name, lambda: io.BytesIO(held)))}


class Endless(io.RawIOBase):
    """A file of some bytes over and over."""

    def __init__(self, piece: bytes, size: int) -> None:
        self.piece, self.left = piece * (1 + (1 << 16) // len(piece)), size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = min(len(buffer), len(self.piece), self.left)
        buffer[:count] = self.piece[:count]
        self.left -= count
        return count


def test_text_is_paragraphs_between_blank_lines() -> None:
    assert read("text", "One\r\nline.\r\n\r\n \t\r\nTwo.\rThree.") == {"a.x": ["One\nline.", "Two.\nThree."]}


def test_text_by_line_names_articles_by_their_lines() -> None:
    assert read("text,article=line", "One. 1.\n\nThree.\n") == {"a.x:1": ["One. 1."], "a.x:3": ["Three."]}


def test_text_by_chapter() -> None:
    book = "Title\n\nCHAPTER I. In which\n\nIt began.\n\nchapter and verse were\nquoted\n\nChapter 2\n\nIt ended.\n"
    assert read("text,article=heading", book) == {
        "a.x": ["Title"],
        "a.x#CHAPTER I. In which": ["It began.", "chapter and verse were\nquoted"],
        "a.x#Chapter 2": ["It ended."],
    }
    assert read(r"text,article=heading,heading=\*.*\*", "* 1 *\n\na\n\n* 1 *\n\nb") == {
        "a.x#* 1 *": ["a"],
        "a.x#* 1 * (2)": ["b"],
    }
    with pytest.raises(LvmError, match="'heading' is no regular expression"):
        read("text,article=heading,heading=(", "")


@pytest.mark.parametrize("term", ["text", "text,article=line", "text,article=heading", "markdown", "markdown,depth=2"])
def test_one_line_without_an_end_is_read_in_little_memory(term: str) -> None:
    size = 24 << 20
    tracemalloc.start()
    reader = REGISTRY.make("reader", parse_one(term)).build()
    source = Source("a.x", lambda: io.BufferedReader(Endless(b"A sentence of some words. ", size)))  # pyright: ignore
    tracemalloc.reset_peak()
    total = 0
    for article in reader(source):
        parts = [0, ""]
        for part in article.paragraphs:
            assert len(part) <= PART + 1
            total += len(part)
            parts = [parts[0] + 1, part]
        assert parts[0] > 20
        assert not parts[1].endswith(" ")
    assert total >= size - 64
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


def test_a_long_paragraph_is_cut_at_white_space_and_says_that_it_goes_on() -> None:
    line = " ".join(f"word{i}" for i in range(300_000))
    (parts,) = read("text", f"{line}\n\nNext.").values()
    assert len(parts) > 5
    assert [part[-1] == " " for part in parts] == [True] * (len(parts) - 2) + [False, False]
    assert "".join(parts[:-1]) == line
    assert parts[-1] == "Next."


def test_markdown_is_its_prose() -> None:
    text = """---
title: front
---
# One *bold*

Some [text](http://a.b), ![pic](x.png)`code` and &amp;
<b>more</b>; see [this][ref].

```py
x = 1

# no heading
```

    indented()

- first

  goes on
- second
  ~~~
  x
  ~~~

| a | b |
|---|---|
| 1 | 2 |

<!-- a comment -->
<div>html</div>

> quoted

[ref]: http://c.d
"""
    assert read("markdown", text) == {
        "a.x": [
            "One bold",
            "Some text, code and &\nmore; see this.",
            "first",
            "goes on",
            "second",
            "quoted",
        ]
    }


def test_markdown_articles_are_headings_of_a_depth() -> None:
    text = "Before.\n\n# A\n\nIn A.\n\n## B\n\nIn B.\n\n### C\n\nIn C.\n\nA\n===\n\nAgain.\n\n# Empty\n"
    assert read("markdown", text) == {
        "a.x": ["Before.", "A", "In A.", "B", "In B.", "C", "In C.", "A", "Again.", "Empty"]
    }
    assert read("markdown,depth=2", text) == {
        "a.x": ["Before."],
        "a.x#A": ["In A."],
        "a.x#B": ["In B.", "C", "In C."],
        "a.x#A (2)": ["Again."],
    }


def test_a_rule_in_the_first_line_is_no_front_matter() -> None:
    assert read("markdown", "---\n\ntext\n") == {"a.x": ["text"]}


def test_html_is_its_main_text() -> None:
    page = """<!doctype html><html><head><title> The &lt;T&gt;\n title </title><style>x{}</style></head><body>
    <header><h1>Site</h1></header><nav>menu</nav><div role=navigation>more menu</div><aside>beside</aside>
    <main><h1>A <em>heading</em></h1><p>Some <b>te</b>xt,\n with <code>code</code>.<p>A line<br>and another.<br><br>
    Next.
    <pre>listing()</pre><table><tr><td>cell</td></tr></table><ul><li>item<li>item <span>two</span></ul>
    <div>bare<div>inner</div>rest</div><script>alert()</script><p hidden>hidden</p></main>
    <footer>(c)</footer></body></html>"""
    assert read("html", page) == {
        "a.x#The <T> title": [
            "A heading",
            "Some text, with code.",
            "A line and another.",
            "Next.",
            "item",
            "item two",
            "bare",
            "inner",
            "rest",
        ]
    }


def test_html_takes_its_title_from_the_first_heading_where_it_has_no_other() -> None:
    assert list(read("html", "<h1>One</h1>text")) == ["a.x#One"]
    assert list(read("html", "text")) == ["a.x"]


def test_html_articles_are_headings_of_a_depth() -> None:
    assert read("html,depth=2", "<title>T</title>Before<h1>A</h1>a<h2>B</h2>b<h3>C</h3>c<h2></h2>d") == {
        "a.x": ["Before"],
        "a.x#A": ["a"],
        "a.x#B": ["b", "C", "c", "d"],
    }


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<meta charset='iso-8859-1'>caf\xe9 \x93q\x94".encode("latin-1"), "café “q”"),
        (b"<meta http-equiv=content-type content='text/html; charset=koi8-r'>" + "мир".encode("koi8-r"), "мир"),
        ("<meta charset=utf-16>é".encode(), "é"),
        ("<meta charset=nonsense>é".encode(), "é"),
        (b"\xef\xbb\xbf<meta charset=latin-1>" + "é".encode(), "é"),
        ("é".encode("utf-16"), "é"),
    ],
)
def test_html_is_in_the_encoding_that_it_names(page: bytes, text: str) -> None:
    assert read("html", page) == {"a.x": [text]}


def test_html_that_is_nested_without_end_is_an_error_at_once() -> None:
    with pytest.raises(LvmError, match="5,000 elements stand open"):
        read("html", "<div>" * 1_000_000)
    assert read("html", "<p>a" * 6000) == {"a.x": ["a"] * 6000}
    assert read("html", "<svg>" + "<path d='x' />" * 6000 + "</svg>a<div class=x/>b<br/>c") == {"a.x": ["a", "b c"]}


def test_jsonl_is_an_article_a_line() -> None:
    text = '{"title": "T", "text": "a\\n\\nb"}\n\n{"text": ["c", null, "d"], "title": ""}\n{"text": null}'
    assert read("jsonl", text) == {"T": ["a", "b"], "a.x:3": ["c", "d"], "a.x:4": []}
    assert read("jsonl,text=body,title=n", '{"body": "x", "n": 7}') == {"7": ["x"]}


def test_rows_of_an_article_are_taken_together() -> None:
    text = "\n".join(f'{{"text": "{i}", "doc": "{i // 2}"}}' for i in range(5))
    assert read("jsonl,article=doc", text) == {"a.x:0": ["0", "1"], "a.x:1": ["2", "3"], "a.x:2": ["4"]}


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"text": "a"}\n{"txt": "b"}', "there is no column 'text'\n  where: a.x, row 2\n  expected: one of: txt"),
        ('{"text": 3}', "holds no text but int"),
        ("[1]", "no object but list"),
        ("{", "the line is no JSON"),
        ("[" * 100_000, "the line is no JSON"),
        ("1" * 10_000, "the line is no JSON"),
    ],
)
def test_a_line_that_is_no_row_is_named(line: str, what: str) -> None:
    with pytest.raises(LvmError) as caught:
        read("jsonl", line)
    assert what in str(caught.value)
    assert "a.x, " in str(caught.value)


def test_parquet_is_an_article_a_row() -> None:
    import pyarrow
    import pyarrow.parquet

    rows = {"doc": [1, 1, 2], "body": ["a\n\nb", None, "c"], "name": ["A", "A", "C"], "other": [1, 2, 3]}
    sink = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(rows), sink, row_group_size=2)
    data = sink.getvalue()
    assert read("parquet,text=body,title=name", data) == {"A": [], "C": ["c"]}
    assert read("parquet,text=body,title=no,article=doc", data) == {"a.x:1": ["a", "b"], "a.x:2": ["c"]}
    with pytest.raises(LvmError, match="there is no column 'text'") as caught:
        read("parquet", data)
    assert "body, doc, name, other" in str(caught.value)
    with pytest.raises(LvmError, match="cannot be read as Parquet"):
        read("parquet", data[:-50])


def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, term, extra in (
        ("pyarrow.parquet", "parquet", "parquet"),
        ("selectolax.lexbor", "html", "text"),
        ("markdown_it", "markdown", "text"),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(__import__("sys").modules, module, None)
            with pytest.raises(LvmError) as caught:
                REGISTRY.make("reader", parse_one(term)).build()
            assert f"pip install 'lvmcore[{extra}]'" in str(caught.value)


def test_what_acts_on_a_terminal_comes_from_no_reader() -> None:
    bad = "a\x1b[31mb\x07\u202ec\x9b1md\x1b]0;title\x07e\x00"
    want = "abcde"
    assert read("markdown,depth=1", f"# {bad}\n\n{bad}\n".replace("\0", "")) == {"a.x#" + want: [want]}
    assert read("jsonl", f'{{"title": "{_escaped(bad)}", "text": "{_escaped(bad)}"}}') == {want: [want]}
    assert list(islice(read("text,article=line", bad.replace("\0", ""), name="x\x1b[2J\ny"), 1)) == ["x y:1"]


def _escaped(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text)
