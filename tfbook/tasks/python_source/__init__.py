"""A language model of Python: the text, n-grams as its rival, and a GPT trained on it."""
