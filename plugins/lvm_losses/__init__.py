"""The built-in losses, one file a concept."""

from lvmcore import hookimpl


@hookimpl
def lvm_losses():
    from lvm_losses.anticopy import AntiCopy
    from lvm_losses.contrastive import InfoNce
    from lvm_losses.directional import Directional
    from lvm_losses.floor import Floor
    from lvm_losses.future import Future
    from lvm_losses.listwise import Listwise
    from lvm_losses.micro_directional import MicroDirectional
    from lvm_losses.moments import Moment, Variance
    from lvm_losses.mse import Mse
    from lvm_losses.norm import Norm
    from lvm_losses.orthogonal import Orthogonal
    from lvm_losses.rollout import Rollout
    from lvm_losses.smooth_directional import SmoothDirectional

    return [
        ("mse", Mse),
        ("dir", Directional),
        ("smooth-dir", SmoothDirectional),
        ("micro-dir", MicroDirectional),
        ("ac", AntiCopy),
        ("fut", Future),
        ("roll", Rollout),
        ("nce", InfoNce),
        ("listwise", Listwise),
        ("moment", Moment),
        ("variance", Variance),
        ("floor", Floor),
        ("norm", Norm),
        ("orth", Orthogonal),
    ]
