"""From files of text to a corpus: read and cut, freed of duplicates, encoded in blocks, written; a module a stage."""
