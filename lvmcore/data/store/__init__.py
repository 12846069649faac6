"""A corpus on the disk: written as a stream, opened without reading a row, in one file or in several."""
