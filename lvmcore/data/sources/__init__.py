"""Files of text: found, unpacked within bounds, decoded, and read as articles."""
