"""The built-in samplers."""

from lvmcore import hookimpl


@hookimpl
def lvm_samplers():
    from lvm_samplers.advantage import Advantage
    from lvm_samplers.forward import Forward
    from lvm_samplers.full import Full
    from lvm_samplers.weighted import Weighted

    return [("full", Full), ("forward", Forward), ("advantage", Advantage), ("weighted", Weighted)]
