"""The built-in losses, one file each."""

from lvmcore import hookimpl


@hookimpl
def lvm_losses():
    from lvm_losses.anticopy import AntiCopy
    from lvm_losses.directional import Directional
    from lvm_losses.mse import Mse

    return [("mse", Mse), ("dir", Directional), ("ac", AntiCopy)]
