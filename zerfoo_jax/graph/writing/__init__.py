"""Ways of writing a graph down: a builder, a class, YAML and JSON text, Python source."""
