"""The built-in schedules of the learning rate, all of them torch's own."""

from lvmcore import hookimpl


@hookimpl
def lvm_schedules():
    return [
        ("plateau", "lvm_schedules.plateau:Plateau"),
        ("warmup-cosine", "lvm_schedules.warmup_cosine:WarmupCosine"),
        ("constant", "lvm_schedules.constant:Constant"),
    ]
