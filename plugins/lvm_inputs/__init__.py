"""The built-in input encodings."""

from lvmcore import hookimpl


@hookimpl
def lvm_inputs():
    return [
        ("pos", "lvm_inputs.positional:Positional"),
        ("drop", "lvm_inputs.context_drop:ContextDrop"),
        ("last-noise", "lvm_inputs.last_noise:LastNoise"),
    ]
