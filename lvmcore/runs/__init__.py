"""Runs on disk: the folder of one, the folder of all, and who holds them."""
