"""What a Transformer learns from: each source returns strings with a fixed split,
and vocabularies.
"""
