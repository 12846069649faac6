"""5CAT, the 5→1 causal alignment test: one file a test, and what makes one evaluation of them."""
