"""A model as a package for others: its weights, a card that tells what it is, and graphs that need no lvm."""
