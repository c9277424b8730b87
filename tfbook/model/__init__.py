"""What a Transformer is: torch alone, without data, training or plots.

To read it from the start: config, masks, positions, attention, layers, transformer. Then
what decoding adds (cache) and what else the same layers can be (gpt, vit, audio). Input
is checked by checks, which can be read last.
"""
