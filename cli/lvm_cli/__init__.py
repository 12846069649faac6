"""The `lvm` program: one command a file. It prints; lvmcore computes."""
