"""An inspection of a corpus for people: as tables, and as a picture."""
