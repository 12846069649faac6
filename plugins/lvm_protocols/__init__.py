"""Protocols beside `5cat`: how others have measured."""

from lvmcore import hookimpl


@hookimpl
def lvm_protocols():
    return [("5cat-2025", "lvm_protocols.fivecat_2025:FiveCat2025")]
