"""Runs and evaluations for people: comparison, tables, words."""
