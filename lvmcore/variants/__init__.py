"""What can be run: variants and gate profiles, read from registry.toml, with the figures published for them."""
