"""The built-in schedules of the learning rate, all of them torch's own."""

from lvmcore import hookimpl


@hookimpl
def lvm_schedules():
    from lvm_schedules.constant import Constant
    from lvm_schedules.plateau import Plateau
    from lvm_schedules.warmup_cosine import WarmupCosine

    return [("plateau", Plateau), ("warmup-cosine", WarmupCosine), ("constant", Constant)]
