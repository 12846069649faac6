"""Corpora looked into before anything is trained: what they hold, and whether the past foretells what comes next."""
