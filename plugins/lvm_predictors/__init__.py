"""The built-in predictors: yardsticks that stand beside every model."""

from lvmcore import hookimpl


@hookimpl
def lvm_predictors():
    from lvm_predictors.context_mean import ContextMean
    from lvm_predictors.copy_last import CopyLast
    from lvm_predictors.filter import Filter
    from lvm_predictors.oracle import Oracle
    from lvm_predictors.random import Random
    from lvm_predictors.ridge import Ridge

    return [
        ("oracle", Oracle),
        ("copy-last", CopyLast),
        ("context-mean", ContextMean),
        ("filter", Filter),
        ("ridge", Ridge),
        ("random", Random),
    ]
