"""One room a task: its data and split, its rivals, its recipes, its trained model."""
