"""What a Transformer is: torch alone, without data, training or plots.

To read it from the start: config, masks, positions, attention, layers, transformer. All
that bad input can do is in checks; recurrent holds the baselines.
"""
