"""The hooks of lvm-plugin-mingru."""

from pathlib import Path

from lvmcore import hookimpl


@hookimpl
def lvm_architectures():
    from lvm_plugin_mingru.mingru import MinGru

    return [("mingru", MinGru)]


@hookimpl
def lvm_losses():
    from lvm_plugin_mingru.varcov import VarianceCovariance

    return [("varcov", VarianceCovariance)]


@hookimpl
def lvm_variants():
    return [Path(__file__).parent / "registry.toml"]
