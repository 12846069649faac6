"""The built-in input encodings."""

from lvmcore import hookimpl


@hookimpl
def lvm_inputs():
    from lvm_inputs.context_drop import ContextDrop
    from lvm_inputs.last_noise import LastNoise
    from lvm_inputs.positional import Positional

    return [("pos", Positional), ("drop", ContextDrop), ("last-noise", LastNoise)]
