"""The five tests of 5CAT, one file a test."""
