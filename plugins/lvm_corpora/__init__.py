"""The bundled corpora, and the world that tests the evaluator with the predictor that knows its law."""

from lvmcore import hookimpl


@hookimpl
def lvm_corpora():
    return [
        ("wiki", "lvm_corpora.wiki:Wiki"),
        ("kjv", "lvm_corpora.kjv:Kjv"),
        ("factbook", "lvm_corpora.factbook:Factbook"),
        ("world", "lvm_corpora.world:World"),
    ]


@hookimpl
def lvm_predictors():
    return [("dynamics", "lvm_corpora.dynamics:Dynamics")]
