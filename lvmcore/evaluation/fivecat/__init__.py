"""5CAT, the 5→1 causal alignment test: the protocol and its five tests, one file a test."""

from lvmcore.hookspecs import hookimpl


@hookimpl
def lvm_protocols():
    return [("5cat", "lvmcore.evaluation.fivecat.protocol:FiveCat")]
