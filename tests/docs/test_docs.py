"""The console and Python blocks of the documentation, run in order, a folder a page, at toy size.

A block under `<!-- not run: reason -->` is left out. In a console block, lines after a command are checked: they must
be in what it prints, but for `…`, and where they begin with `lvm: ` it must end with status 2. A Python block that
begins with `# NAME.py` is written to that file, any other is executed. A TOML block of variants or
gates must load. The bundled corpora are cut to some articles and channels, planted worlds to some articles.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch

from lvm_cli.main import main
from lvm_corpora.factbook import Factbook
from lvm_corpora.kjv import Kjv
from lvm_corpora.wiki import Wiki
from lvm_corpora.world import World
from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.variants.catalogue import default_files, load_catalogue

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "benchmarks" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
TOY = ["--size", "toy", "--epochs", "2"]
"""Put first, so that what a page says for itself still holds."""
NOT_RUN = re.compile(r"<!-- not run: (.+) -->")
FILE = re.compile(r"# ([\w/]+\.py)\n")

Run = Callable[[str], tuple[int, str]]


@attrs.frozen
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    language: str
    text: str
    not_run: str | None

    @property
    def where(self) -> str:
        return f"{self.page}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """The fenced blocks of a page; the comment that leaves one out stands right above it."""
    lines = iter(enumerate(page.read_text("utf-8").splitlines(), 1))
    above = ""
    for number, line in lines:
        if line.strip().startswith("```"):
            language, held = line.strip().removeprefix("```"), []
            for _, inner in lines:
                if inner.strip() == "```":
                    break
                held.append(inner)
            found = NOT_RUN.search(above)
            text = textwrap.dedent("\n".join(held)) + "\n"
            yield Block(page.name, number, language, text, found[1] if found else None)
            above = ""
        elif line.strip():
            above = line


def commands(block: Block) -> Iterator[tuple[str, list[str]]]:
    """Each command of a console block and the output that is shown of it."""
    found: list[tuple[str, list[str]]] = []
    for line in block.text.rstrip().splitlines():
        if line.startswith("$ "):
            found.append((line[2:].partition("  #")[0].strip(), []))
        else:
            found[-1][1].append(line.strip())
    yield from found


def cut(corpus: Corpus, articles: int = 8, rows: int = 25, channels: int = 64) -> Corpus:
    """The first rows of the first articles of each split, and the first channels of the rows."""
    kept = [i for split in range(3) for i in (corpus.splits == split).nonzero().flatten().tolist()[:articles]]
    parts = [
        corpus.vectors[start : min(end, start + rows)][:, :channels]
        for i in kept
        for start, end in [corpus.starts[i : i + 2].tolist()]
    ]
    starts = torch.tensor([0, *map(len, parts)]).cumsum(0)
    return Corpus(torch.cat(parts), starts, corpus.splits[kept], CorpusInfo(name=corpus.info.name))


@pytest.fixture(autouse=True)
def _small_corpora(monkeypatch: pytest.MonkeyPatch) -> None:
    for bundled in (Wiki, Kjv, Factbook):
        small = cut(bundled().build())
        monkeypatch.setattr(bundled, "build", lambda self, small=small: small)
    of_world = World.build
    monkeypatch.setattr(World, "build", lambda self: of_world(attrs.evolve(self, articles=10, length=20, dim=96)))


@pytest.fixture
def page_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder with the repository's examples of one file in it."""
    (tmp_path / "examples").mkdir()
    for file in (ROOT / "examples").iterdir():
        if file.is_file():
            (tmp_path / "examples" / file.name).symlink_to(file)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    before = signal.getsignal(signal.SIGTERM)
    yield tmp_path
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs a command: lvm itself in this process, which spares its start, anything else in a shell."""

    def in_shell(command: str) -> tuple[int, str]:
        shown = re.sub(r"\blvm run\b", f"lvm run {' '.join(TOY)}", command)
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", shown], capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def execute(command: str) -> tuple[int, str]:
        words = shlex.split(command, comments=True)
        if words[0] != "lvm" or {"|", ">", "&&"} & set(words):
            return in_shell(command)
        if words[1] == "run":
            words[2:2] = TOY
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return int(ended.value.code or 0), printed.out + printed.err

    return execute


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_of_a_page_runs(page: Path, page_folder: Path, run: Run) -> None:
    names = {"__name__": "__main__"}  # one block goes on where the one before it ended
    for block in blocks(page):
        if block.not_run is not None:
            continue
        if block.language == "console":
            for command, shown in commands(block):
                status, printed = run(command)
                expected = 2 if shown and shown[0].startswith("lvm: ") else 0
                assert status == expected, f"{block.where}: {command}\n{printed}"
                for line in shown:
                    assert line in printed or line == "…", f"{block.where}: {command}\n{printed}"
        elif block.language == "python":
            run_python(block, names)
        elif block.language == "toml" and re.search(r"^\[+(variants|gates)\.", block.text, re.MULTILINE):
            Path("page.toml").write_text(block.text)
            load_catalogue([*default_files(), Path("page.toml")])


def run_python(block: Block, names: dict[str, Any]) -> None:
    if named := FILE.match(block.text):
        Path(named[1]).parent.mkdir(parents=True, exist_ok=True)
        Path(named[1]).write_text(block.text)
        compile(block.text, named[1], "exec")
    else:
        exec(compile(block.text, block.where, "exec"), names)


def test_the_pages_hold_what_is_looked_for() -> None:
    found = [block for page in PAGES for block in blocks(page)]
    counts = {language: sum(block.language == language for block in found) for language in ("console", "python")}
    assert counts["console"] >= 15
    assert counts["python"] >= 8
    assert {block.language for block in found} <= {"", "console", "python", "toml"}, "a language that nobody runs"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    missing = [page.name for page in PAGES[1:] if page.name != "README.md" and f"({page.name})" not in index]
    assert not missing


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
