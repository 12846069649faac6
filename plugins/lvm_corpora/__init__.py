"""The bundled corpora, and the world that tests the evaluator with the predictor that knows its law."""

from lvmcore import hookimpl


@hookimpl
def lvm_corpora():
    from lvm_corpora.kjv import Kjv
    from lvm_corpora.wiki import Wiki
    from lvm_corpora.world import World

    return [("wiki", Wiki), ("kjv", Kjv), ("world", World)]


@hookimpl
def lvm_predictors():
    from lvm_corpora.dynamics import Dynamics

    return [("dynamics", Dynamics)]
