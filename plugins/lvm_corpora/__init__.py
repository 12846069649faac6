"""The bundled corpora, and the world that tests the evaluator."""

from lvmcore import hookimpl


@hookimpl
def lvm_corpora():
    from lvm_corpora.kjv import Kjv
    from lvm_corpora.wiki import Wiki
    from lvm_corpora.world import World

    return [("wiki", Wiki), ("kjv", Kjv), ("world", World)]
