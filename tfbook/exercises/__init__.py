"""Checks that a reader calls on their own answers: one file a lesson of the book.

A check prints "not attempted" while the answer is None, "correct", or what to look
at again; it raises nothing, whatever it is given.
"""
