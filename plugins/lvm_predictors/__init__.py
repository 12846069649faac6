"""The built-in predictors: yardsticks that stand beside every model."""

from lvmcore import hookimpl


@hookimpl
def lvm_predictors():
    return [
        ("oracle", "lvm_predictors.oracle:Oracle"),
        ("copy-last", "lvm_predictors.copy_last:CopyLast"),
        ("context-mean", "lvm_predictors.context_mean:ContextMean"),
        ("filter", "lvm_predictors.filter:Filter"),
        ("ridge", "lvm_predictors.ridge:Ridge"),
        ("random", "lvm_predictors.random:Random"),
    ]
