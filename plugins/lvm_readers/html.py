"""HTML, parsed by lexbor."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

from attrs.validators import ge, le

from lvm_readers.headings import Heading, articles
from lvm_readers.nesting import shallow
from lvmcore import Article, LvmError, Source, component, is_encoding, needs, option

LARGEST = 1 << 26
"""Characters of a page, which is held whole."""

_OUT = (
    "head,nav,header,footer,aside,pre,table,script,style,noscript,template,form,button,select,textarea,svg,math,iframe,"
    "object,video,audio,[hidden],[aria-hidden=true],[role=navigation],[role=banner],[role=contentinfo],[role=search],"
    "[role=complementary]"
)
_BLOCKS = (
    "p,div,section,article,main,ul,ol,li,dl,dt,dd,blockquote,figure,figcaption,address,details,summary,fieldset,hr,"
    "h1,h2,h3,h4,h5,h6,center,td,th"
)
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_CHARSET = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_BREAK, _HEADING, _LINE = "\1", "\2", "\3"
"""What parts blocks, begins a heading and ends a line in the text of a page; a page that writes them as `&#1;` is cut
oddly, and no more."""
_OF_HEADING = re.compile(rf"{_HEADING}([1-6]) ?(.*)")
_PARTS = re.compile(f"{_BREAK}|{_LINE}\\s*{_LINE}")


@component
class Html:
    """HTML: an article is a file, or a heading of at most some depth; navigation, footers, code, tables are out."""

    suffixes: ClassVar[tuple[str, ...]] = (".html", ".htm", ".xhtml")

    depth: int = option(
        default=0, help="an article for each heading of at most this depth; 0: the file", validator=[ge(0), le(6)]
    )
    encoding: str = option(
        default="auto", help="auto: by byte order mark, else what the page says, else UTF-8", validator=is_encoding
    )

    @staticmethod
    def example() -> bytes:
        return (
            b"<!doctype html><html><head><meta charset=utf-8><title>One &amp; all</title></head><body><nav>menu</nav>"
            b"<main><h1>One</h1><p>Some <b>te</b>xt.<p>More<br>text.<pre>code</pre><h2>Two</h2><ul><li>a<li>b</ul>"
            b"<table><tr><td>1</table></main><script>x</script><footer>(c)</footer></body></html>"
        )

    def build(self) -> Callable[[Source], Iterator[Article]]:
        parser = needs("selectolax.lexbor", "text").LexborHTMLParser

        def read(source: Source) -> Iterator[Article]:
            page = parser(shallow(self._whole(source), source.where))
            heading = page.css_first("title") or page.css_first("h1")
            title = " ".join(heading.text(deep=True).split()) if heading else ""
            items = list(_items(page))
            return articles(source.name + f"#{title}" * bool(title and not self.depth), items, self.depth)

        return read

    def _whole(self, source: Source) -> str:
        """The page without control characters, of which the marks of blocks are two."""
        with source.open() as file:
            said = _said(file.read(2048))
        pieces, size = [], 0
        for piece in source.text(self.encoding, said):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST:
                raise LvmError(
                    f"the page has more than {LARGEST:,} characters; HTML is read whole",
                    where=source.where,
                    fix="divide it, or make plain text of it",
                )
        return "".join(pieces).translate({0: " ", 1: " ", 2: " ", 3: " "})


def _said(head: bytes) -> str:
    """The encoding that a page names, as browsers understand it; UTF-8 where it names none."""
    found = _CHARSET.search(head)
    name = found[1].decode("ascii", "replace").lower() if found else "utf-8"
    if name in ("iso-8859-1", "latin1", "us-ascii", "ascii"):
        return "cp1252"
    try:
        "".encode(name)
    except (LookupError, ValueError):  # none that Python knows, or none of text
        return "utf-8"
    return "utf-8" if name.startswith("utf") else name  # a page that could be read so far is not UTF-16


def _items(page: Any) -> Iterator[Heading | str]:
    for node in page.css(_OUT):
        node.decompose()
    mains = page.css("main,[role=main]") or page.css("article")
    root = mains[0] if len(mains) == 1 else page.body
    if root is None:
        return
    for node in root.css("br"):
        node.insert_before(_LINE)
    for node in root.css(_BLOCKS):
        level = node.tag[1] if node.tag in _HEADINGS else ""
        node.insert_before(_BREAK + (_HEADING + level if level else ""))
        node.insert_after(_BREAK)
    for piece in _PARTS.split(root.text(deep=True)):
        text = " ".join(piece.replace(_LINE, " ").split())
        if heading := _OF_HEADING.fullmatch(text):
            if heading[2]:
                yield Heading(int(heading[1]), heading[2])
        elif text:
            yield text
