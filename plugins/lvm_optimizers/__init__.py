"""The built-in optimizers, all of them torch's own."""

from lvmcore import hookimpl


@hookimpl
def lvm_optimizers():
    return [
        ("adamw", "lvm_optimizers.adam:AdamW"),
        ("adam", "lvm_optimizers.adam:Adam"),
        ("sgd", "lvm_optimizers.sgd:Sgd"),
    ]
