"""Models made smaller: weights left out, stored in fewer bits, factored, or taught to a smaller
model.
"""
