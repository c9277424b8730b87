"""What a model does and what it costs, seen from outside."""
