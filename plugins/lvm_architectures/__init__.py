"""The built-in architectures, one file each."""

from lvmcore import hookimpl


@hookimpl
def lvm_architectures():
    from lvm_architectures.amn import Amn
    from lvm_architectures.residual import Residual
    from lvm_architectures.transformer import Transformer

    return [("transformer", Transformer), ("amn", Amn), ("residual", Residual)]
