"""The built-in samplers."""

from lvmcore import hookimpl


@hookimpl
def lvm_samplers():
    return [
        ("full", "lvm_samplers.full:Full"),
        ("articles", "lvm_samplers.articles:Articles"),
        ("forward", "lvm_samplers.forward:Forward"),
        ("advantage", "lvm_samplers.advantage:Advantage"),
        ("weighted", "lvm_samplers.weighted:Weighted"),
    ]
