"""What every component promises, and what the plugin as a whole does."""

from __future__ import annotations

from lvmcore.components import explicit, options, summary
from lvmcore.hookspecs import KINDS
from lvmcore.testing.promises import ANY, PLUGIN, Subject, expect
from lvmcore.testing.promises import promise as promised
from lvmcore.variants.catalogue import default_files, load_catalogue


@promised(PLUGIN)
def loads_and_gives_only_components(subject: Subject) -> None:
    """The plugin loads, implements hooks that exist, and gives components and nothing else."""
    subject.registry.examine()
    plugin = subject.plugin
    expect(plugin.status == "ok", f"it is {plugin.status}: {plugin.reason}")


@promised(PLUGIN)
def variants_load(subject: Subject) -> None:
    """The variants and gate profiles it brings can be read, and clash with none of the built-in ones."""
    own = [file for plugin, file in subject.registry.variant_files() if plugin is subject.plugin]
    load_catalogue([*default_files(), *own])


@promised(ANY)
def name_is_its_own(subject: Subject) -> None:
    """No other plugin gives a component of this kind and name."""
    owners = [one.plugin.dist for one in subject.registry.all(subject.kind) if one.name == subject.name]
    expect(len(owners) == 1, f"the {subject.kind} '{subject.name}' is given by {', '.join(owners)}")


@promised(ANY)
def is_documented(subject: Subject) -> None:
    """Its docstring is a sentence, and every option has a line of help."""
    expect(summary(subject.component).rstrip("`").endswith((".", "!", "?")), "its docstring begins with no sentence")
    bare = [item.name for item in options(subject.component) if not item.help]
    expect(not bare, f"without help: {', '.join(bare)}")


@promised(ANY)
def options_survive_a_checkpoint(subject: Subject) -> None:
    """Its options, written out as text and read again, make an equal component."""
    for text, made in subject.settings():
        again = subject.make(**explicit(made))
        expect(again == made, f"{made} is read back as {again}{text}")


@promised(ANY)
def options_are_its_own(subject: Subject) -> None:
    """No option has the name of one that all of its kind share, such as weight, share, start, stop and ramp."""
    shared = KINDS[subject.kind].shared
    common = {item.name for item in options(shared)} if shared else set()
    taken = common & {item.name for item in options(subject.component)}
    expect(not taken, f"taken already: {', '.join(sorted(taken))}")
