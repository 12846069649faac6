"""Corpora: rows of vectors in articles, the windows over them, and what opens and imports them."""
