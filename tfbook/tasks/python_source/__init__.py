"""A language model of Python: the text, n-grams as its rival, and the GPT that read it."""
