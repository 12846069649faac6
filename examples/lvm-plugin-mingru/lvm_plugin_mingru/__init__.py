"""The hooks of lvm-plugin-mingru."""

from pathlib import Path

from lvmcore import hookimpl


@hookimpl
def lvm_architectures():
    return [("mingru", "lvm_plugin_mingru.mingru:MinGru")]


@hookimpl
def lvm_losses():
    return [("varcov", "lvm_plugin_mingru.varcov:VarianceCovariance")]


@hookimpl
def lvm_variants():
    return [Path(__file__).parent / "registry.toml"]
