"""Training: one loop and its parts."""
