"""The built-in architectures, one file each."""

from lvmcore import hookimpl


@hookimpl
def lvm_architectures():
    return [
        ("transformer", "lvm_architectures.transformer:Transformer"),
        ("amn", "lvm_architectures.amn:Amn"),
        ("lstm", "lvm_architectures.lstm:Lstm"),
        ("gru", "lvm_architectures.gru:Gru"),
        ("mixture", "lvm_architectures.mixture:Mixture"),
        ("filter-residual", "lvm_architectures.filter_residual:FilterResidual"),
        ("residual", "lvm_architectures.residual:Residual"),
        ("anchored", "lvm_architectures.anchored:Anchored"),
    ]
