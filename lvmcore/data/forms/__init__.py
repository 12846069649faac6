"""Vectors in other people's files: a module a form, each of which reads it, and writes it where it is one to write."""
