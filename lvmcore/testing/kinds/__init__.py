"""What each kind of component promises, one file a kind."""
