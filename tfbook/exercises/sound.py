"""Checks for lesson 4.10, sound."""

import torch

from tfbook.exercises.report import checked


@checked
def check_rows(answer):
    """The rows that enter the encoder for 2 s at 16,000 a second in patches of 16 by 10."""
    if not isinstance(answer, int):
        return "give a whole number"
    if answer == 100:
        return "there is one row more than patches: the class token"
    if answer in (20, 21):
        return "the patches are 16 bands high: how many lie above each other?"
    if answer != 101:
        return (
            "count the frames, 160 samples apart, then the patches, then the token"
        )


@checked
def check_noise(answer):
    """A function of wave, noise and decibels that returns their sum."""
    for size, decibels in ((1000, 10.0), (700, 0.0), (900, -6.0)):
        wave, noise = 0.3 * torch.randn(size), 5 * torch.randn(size)
        found = answer(wave.clone(), noise.clone(), decibels)
        if not isinstance(found, torch.Tensor) or found.shape != wave.shape:
            return f"the result should be a tensor of shape {(size,)}"
        added = found - wave
        ratio = 10 * (wave.square().mean() / added.square().mean()).log10()
        if abs(ratio + decibels) < 0.1 and decibels:
            return "the sign: more decibels mean less noise"
        if abs(ratio - 2 * decibels) < 0.1 and decibels:
            return "an amplitude falls by a factor of 10 in 20 dB, not in 10"
        if abs(ratio - decibels) > 0.1:
            return f"asked for {decibels:g} dB, and got {ratio:.1f}"
        if abs(torch.cosine_similarity(added, noise, dim=0)) < 0.999:
            return "add the noise that is given, scaled by one number"


@checked
def check_levels(answer):
    """The shares heard right at 20, 10, 0 and -10 dB of white noise."""
    if not isinstance(answer, list | tuple) or len(answer) != 4:
        return "give four shares, at 20, 10, 0 and -10 dB"
    if not all(0 <= share <= 1 for share in answer):
        return "a share lies between 0 and 1"
    if answer[0] < answer[3]:
        return "start with the least noise: 20 dB"
    if answer[0] < 0.7:
        return "at 20 dB nearly all should be right: are the waves fitted after mixing?"
    if answer[3] > 0.9:
        return "at -10 dB the noise has ten times the voice's power: was it added?"
