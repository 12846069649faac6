"""The built-in losses, one file a concept."""

from lvmcore import hookimpl


@hookimpl
def lvm_losses():
    return [
        ("mse", "lvm_losses.mse:Mse"),
        ("cos", "lvm_losses.cosine:Cos"),
        ("dir", "lvm_losses.directional:Directional"),
        ("smooth-dir", "lvm_losses.smooth_directional:SmoothDirectional"),
        ("micro-dir", "lvm_losses.micro_directional:MicroDirectional"),
        ("ac", "lvm_losses.anticopy:AntiCopy"),
        ("fut", "lvm_losses.future:Future"),
        ("roll", "lvm_losses.rollout:Rollout"),
        ("nce", "lvm_losses.contrastive:InfoNce"),
        ("listwise", "lvm_losses.listwise:Listwise"),
        ("rank", "lvm_losses.rank:Rank"),
        ("moment", "lvm_losses.moments:Moment"),
        ("variance", "lvm_losses.moments:Variance"),
        ("floor", "lvm_losses.floor:Floor"),
        ("norm", "lvm_losses.norm:Norm"),
        ("orth", "lvm_losses.orthogonal:Orthogonal"),
    ]
