"""Ways of looking at a model: its outline, what it costs, tables, blueprints and pictures."""
