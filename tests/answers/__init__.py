"""Right and wrong answers to the book's exercises: one file a lesson, named as the file of its
checks in tfbook/exercises.

RIGHT: {check: [answers that it finds correct]}; WRONG: [(check, answer, words of the hint)].
"""
