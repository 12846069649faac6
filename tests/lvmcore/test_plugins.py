"""Discovery: a broken plugin harms nobody else, and everything that is wrong is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Site

from lvmcore.errors import LvmError
from lvmcore.expression import parse_one
from lvmcore.hookspecs import KINDS
from lvmcore.plugins import Plugins
from lvmcore.registry import Registry

GOOD = """
from lvmcore import component, hookimpl, option

@component
class Good:
    "A loss that is always one."
    size: float = option(default=1.0, help="how large")
    def build(self):
        return lambda step: step.raw.mean() * 0 + self.size

@hookimpl
def lvm_losses():
    return [("{name}", Good)]
"""


def row(plugins: Plugins, dist: str):
    (found,) = [plugin for plugin in plugins.found if plugin.dist == dist]
    return found


def test_an_installed_plugin_gives_its_components(site: Site) -> None:
    site.install("lvm-good", GOOD.format(name="always-one"))
    registry = Registry(Plugins())
    found = registry.find("loss", parse_one("always-one:2"))
    assert (found.plugin.dist, found.plugin.version, found.plugin.status) == ("lvm-good", "1.2", "ok")


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("raise RuntimeError('bad day')", "RuntimeError: bad day"),
        ("import no_such_package", "No module named 'no_such_package'"),
        ("this is no Python", "SyntaxError"),
        ("raise SystemExit('I stop here')", "SystemExit: I stop here"),
        ("from lvmcore import hookimpl\n@hookimpl\ndef lvm_loses():\n    return []", "did you mean 'lvm_losses'"),
        ("from lvmcore import hookimpl\n@hookimpl\ndef lvm_losses(extra):\n    return []", "extra"),
        (GOOD.format(name="x").replace('[("x", Good)]', "1 / 0"), "ZeroDivisionError"),
        (GOOD.format(name="x").replace('[("x", Good)]', "[Good]"), "a pair (name, component class) was expected"),
        (GOOD.format(name="x").replace("@component\n", ""), "no component class"),
        (GOOD.format(name="x").replace("def build", "def bild"), "no method build"),
        (
            GOOD.format(name="x").replace("@hookimpl", "@hookimpl(wrapper=True)").replace("return [", "yield ["),
            "lvm calls hooks one by one; 'lvm_losses' is a wrapper",
        ),
        (
            GOOD.format(name="x").replace("@hookimpl", "@hookimpl(hookwrapper=True)").replace("return [", "yield ["),
            "lvm calls hooks one by one; 'lvm_losses' is a wrapper",
        ),
        (
            GOOD.format(name="x").replace(
                'help="how large"', 'help="", validator=__import__("attrs").validators.ge(2)'
            ),
            "defaults of 'x' are not valid",
        ),
    ],
)
def test_a_broken_plugin_is_a_row_with_its_reason_and_the_rest_goes_on(site: Site, source: str, reason: str) -> None:
    site.install("lvm-broken", source)
    site.install("lvm-good", GOOD.format(name="always-one"))
    registry = Registry(Plugins())
    assert registry.find("loss", parse_one("always-one"))
    assert registry.find("loss", parse_one("mse"))
    broken = row(registry.plugins, "lvm-broken")
    assert broken.status == "FAILED"
    assert reason in broken.reason
    with pytest.raises(LvmError, match="unknown loss 'nowhere'") as caught:
        registry.find("loss", parse_one("nowhere"))
    assert "lvm-broken" in (caught.value.fix or "")


def test_strict_raises_what_is_otherwise_a_row(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("lvm-broken", "raise RuntimeError('bad day')")
    monkeypatch.setenv("LVM_STRICT", "1")
    with pytest.raises(LvmError, match="bad day"):
        Plugins()


def test_two_owners_of_a_name_are_both_named_and_either_can_be_chosen(site: Site) -> None:
    site.install("lvm-one", GOOD.format(name="twice"))
    site.install("lvm-two", GOOD.format(name="twice"))
    registry = Registry(Plugins())
    with pytest.raises(LvmError, match="lvm-one, lvm-two") as caught:
        registry.find("loss", parse_one("twice"))
    assert caught.value.expected == "one owner: write lvm-one/twice or lvm-two/twice"
    assert "--no-plugin lvm-two" in (caught.value.fix or "")
    assert registry.find("loss", parse_one("lvm-two/twice")).plugin.dist == "lvm-two"
    assert Registry(Plugins(without=["lvm-two"])).find("loss", parse_one("twice")).plugin.dist == "lvm-one"


def test_a_distribution_that_does_not_own_the_name_is_an_error_that_says_who_does(site: Site) -> None:
    site.install("lvm-one", GOOD.format(name="twice"))
    with pytest.raises(LvmError, match="did you mean 'lvm-one/twice'"):
        Registry(Plugins()).find("loss", parse_one("lvm-on/twice"))


@pytest.mark.parametrize(
    ("further", "reason"),
    [
        ("@hookimpl\ndef lvm_imputs():\n    return []\n", "did you mean 'lvm_inputs'"),
        ("@hookimpl\ndef lvm_samplers(extra):\n    return []\n", "extra"),
        ("@hookimpl(wrapper=True)\ndef lvm_inputs():\n    return (yield)\n", "'lvm_inputs' is a wrapper"),
        ("def lvm_inputs():\n    return []\n", "'lvm_inputs' is no hook without @hookimpl"),
    ],
)
def test_a_faulty_hook_leaves_nothing_of_the_plugin_behind(further: str, reason: str, site: Site) -> None:
    site.install("lvm-half", GOOD.format(name="half") + "\n" + further)
    registry = Registry(Plugins())
    assert reason in row(registry.plugins, "lvm-half").reason
    assert "half" not in [found.name for found in registry.all("loss")]
    assert not registry.plugins.manager.has_plugin("lvm-half/lvm-half")
    assert vars(registry.plugins.hook).keys() == vars(Plugins(only=()).hook).keys()  # nor a hook that there is none of


def test_a_built_in_is_never_shadowed_in_silence(site: Site) -> None:
    site.install("lvm-shadow", GOOD.format(name="mse"))
    with pytest.raises(LvmError, match="lvmcore, lvm-shadow"):
        Registry(Plugins()).find("loss", parse_one("mse"))


def test_two_distributions_with_one_entry_point_name_are_both_loaded(site: Site) -> None:
    site.install("lvm-one", GOOD.format(name="first"), entry="losses")
    site.install("lvm-two", GOOD.format(name="second"), entry="losses")
    registry = Registry(Plugins())
    assert registry.find("loss", parse_one("first")).plugin.dist == "lvm-one"
    assert registry.find("loss", parse_one("second")).plugin.dist == "lvm-two"


def test_the_environment_can_leave_plugins_out(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.install("lvm-one", GOOD.format(name="first"))
    site.install("lvm-two", GOOD.format(name="second"))
    monkeypatch.setenv("LVM_PLUGINS", "")
    assert {plugin.dist for plugin in Plugins().found if plugin.status == "ok"} == {"lvmcore"}
    monkeypatch.setenv("LVM_PLUGINS", "lvm-two")
    plugins = Plugins()
    assert row(plugins, "lvm-one").status == "off"
    assert row(plugins, "lvm-two").status == "ok"


def test_an_unknown_plugin_to_leave_out_is_an_error() -> None:
    with pytest.raises(LvmError, match="did you mean 'losses'"):
        Plugins(without=["loses"])


def test_one_file_is_a_plugin(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(GOOD.format(name="mine"))
    assert Registry(Plugins([file])).find("loss", parse_one("mine"))
    file.write_text("import no_such_package")
    with pytest.raises(LvmError, match="cannot be loaded"):
        Plugins([file])
    with pytest.raises(LvmError, match="no such plugin file"):
        Plugins([tmp_path / "other.py"])


LATE = GOOD.format(name="x").replace('[("x", Good)]', "1 / 0")


def test_a_file_whose_fault_shows_when_its_hook_is_called_ends_what_asked_for_it(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(LATE)
    with pytest.raises(LvmError, match="the plugin file cannot be loaded: ZeroDivisionError") as caught:
        Registry(Plugins([file])).all("loss")
    assert caught.value.where == f"--plugin {file}"


@pytest.mark.parametrize(("source", "reason"), [(LATE, "ZeroDivisionError"), ("1 / 0", "ZeroDivisionError")])
def test_who_is_forgiving_gets_a_broken_file_as_a_plugin_that_failed(source: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(source)
    registry = Registry(Plugins([file], forgiving=True))
    assert registry.all("loss")
    (failed,) = registry.plugins.failed
    assert (failed.dist, failed.reason.partition(":")[0]) == ("mine.py", reason)


def test_a_file_that_is_named_twice_is_one_plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(GOOD.format(name="mine"))
    monkeypatch.chdir(tmp_path)
    registry = Registry(Plugins([Path("mine.py"), tmp_path / "mine.py"]))
    assert registry.find("loss", parse_one("mine")).plugin.origin == "mine.py"
    assert len([plugin for plugin in registry.plugins.found if plugin.is_file]) == 1


def test_files_of_one_name_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    files = [tmp_path / folder / "mine.py" for folder in ("one", "two", "two words")]
    for file in files:
        file.parent.mkdir()
        file.write_text(GOOD.format(name="mine" if file.parent.name != "two words" else "third"))
    registry = Registry(Plugins(files))
    assert [plugin.dist for plugin in registry.plugins.found if plugin.is_file] == [
        "mine.py",
        "two-mine.py",
        "two_words-mine.py",
    ]
    with pytest.raises(LvmError, match=r"mine\.py, two-mine\.py"):
        registry.find("loss", parse_one("mine"))
    for plugin, file in zip(("mine.py", "two-mine.py"), files, strict=False):
        assert registry.find("loss", parse_one(f"{plugin}/mine")).plugin.origin == str(file)
    assert registry.find("loss", parse_one("third")).plugin.origin == str(files[2])


def test_a_second_entry_of_one_name_leaves_the_first_as_it_is(site: Site) -> None:
    site.install("lvm-good", GOOD.format(name="first"))
    (site.folder / "plugin_of_second.py").write_text(GOOD.format(name="second"))
    (site.folder / "lvm_good-1.2.dist-info" / "entry_points.txt").write_text(
        "[lvm]\nlosses = plugin_of_lvm_good\nlosses = plugin_of_second\n"
    )
    registry = Registry(Plugins())
    assert registry.find("loss", parse_one("first")).plugin.status == "ok"
    (failed,) = registry.plugins.failed
    assert (failed.origin, failed.reason) == ("plugin_of_second", "there is another plugin lvm-good/losses")


def test_the_first_option_of_an_input_is_a_number(site: Site) -> None:
    source = GOOD.format(name="worded").replace("lvm_losses", "lvm_inputs")
    site.install("lvm-worded", source.replace("size: float", "size: str").replace("1.0", "'a'"))
    registry = Registry(Plugins())
    assert "worded" not in {found.name for found in registry.all("input")}
    reason = row(registry.plugins, "lvm-worded").reason
    assert reason == "lvm_inputs: the first option of 'worded', 'size', is no number; its schedule multiplies it"


def test_every_kind_has_built_in_components(registry: Registry) -> None:
    counts = {kind: len(registry.all(kind)) for kind in KINDS}
    assert not registry.plugins.failed
    assert {kind for kind, count in counts.items() if not count} == {"check"}
    assert sum(counts.values()) >= 23


def test_an_unknown_name_gets_the_nearest_match_and_the_command_that_lists_the_rest(registry: Registry) -> None:
    with pytest.raises(LvmError, match="did you mean 'transformer'") as caught:
        registry.find("architecture", parse_one("transfromer"))
    assert "lvm list architectures" in (caught.value.fix or "")
