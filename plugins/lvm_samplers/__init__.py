"""The built-in samplers."""

from lvmcore import hookimpl


@hookimpl
def lvm_samplers():
    from lvm_samplers.forward import Forward
    from lvm_samplers.full import Full

    return [("full", Full), ("forward", Forward)]
