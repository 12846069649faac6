"""What a plugin of one's own begins with: the package around it, and a template for each kind of component."""
