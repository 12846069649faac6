"""`python -m lvmcore`: the same program, for machines on which `lvm` is already the volume manager."""

from importlib.metadata import entry_points

if __name__ == "__main__":
    (program,) = entry_points(group="console_scripts", name="lvm")
    program.load()()
