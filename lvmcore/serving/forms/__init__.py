"""What goes over the wire: bodies, the contexts in them, and the answers."""
