"""Right and wrong answers to the book's exercises: one file a lesson, named as the file of its
checks in tfbook/exercises.

RIGHT: {check: [answers that it finds correct]}, of numbers the farthest from each other too;
WRONG: [(check, answer, words of the hint)]; TRUTHS: {name of a function in the file of checks: what
it returns}, for what takes seconds or changes with the weights that the book ships.
"""
