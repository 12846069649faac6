"""The built-in architectures, one file each."""

from lvmcore import hookimpl


@hookimpl
def lvm_architectures():
    from lvm_architectures.amn import Amn
    from lvm_architectures.anchored import Anchored
    from lvm_architectures.gru import Gru
    from lvm_architectures.lstm import Lstm
    from lvm_architectures.mixture import Mixture
    from lvm_architectures.residual import Residual
    from lvm_architectures.transformer import Transformer

    return [
        ("transformer", Transformer),
        ("amn", Amn),
        ("lstm", Lstm),
        ("gru", Gru),
        ("mixture", Mixture),
        ("residual", Residual),
        ("anchored", Anchored),
    ]
