"""Checks for lesson 4.10, sound."""

import torch

from tfbook.exercises.report import checked, function, numbers, share, tensor, whole


@checked
def check_rows(answer):
    """The rows that enter the encoder for 2 s at 16,000 a second in patches of 16 by 10."""
    answer = whole(answer)
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
    add_noise = function(answer, "wave", "noise", "decibels")
    for size, decibels in ((1000, 10.0), (700, 0.0), (900, -6.0)):
        wave, noise = 0.3 * torch.randn(size), 5 * torch.randn(size)
        result = tensor(add_noise(wave.clone(), noise.clone(), decibels), wave)
        added = result - wave
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
    """The shares recognised at 20, 10, 0 and -10 dB of white noise."""
    answer = numbers(
        answer,
        "the share at 20 dB",
        "the share at 10 dB",
        "the share at 0 dB",
        "the share at -10 dB",
        each=share,
    )
    if answer[0] < answer[3]:
        return "start with the least noise: 20 dB"
    if answer[0] < 0.7:
        return "at 20 dB nearly all should be right: are the waves fitted after mixing?"
    if answer[3] > 0.9:
        return "at -10 dB the noise has ten times the voice's power: was it added?"
