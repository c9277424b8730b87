"""Checks for lesson 4.10, sound."""

import functools

import torch

from tfbook.exercises.report import checked, function, numbers, share, tensor, whole
from tfbook.tasks.speech.distortions import mixed, noise
from tfbook.tasks.speech.listener import load_listener
from tfbook.tasks.speech.recordings import fit
from tfbook.tasks.speech.spoken_digits import spoken_digits


@checked
def check_rows(answer):
    """The rows that enter the encoder for 2 s at 16,000 a second in patches of 16 by 10."""
    answer = whole(answer)
    if answer == 100:
        return "there is one row more than patches: the class token"
    if answer in (20, 21):
        return "the patches are 16 bands high: how many lie above each other?"
    if answer != 32_000 // 160 // 10 * (80 // 16) + 1:
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
    truth = _shares()
    if all(abs(a - b) <= 0.03 for a, b in zip(answer, truth, strict=True)):
        return None
    if answer[0] < answer[3]:
        return "start with the least noise: 20 dB"
    if answer[0] < truth[0] - 0.03:
        return "at 20 dB more should be right: are the waves fitted after mixing?"
    if answer[3] > truth[3] + 0.03:
        return "at -10 dB the noise has ten times the voice's power: was it added?"
    return "not what we find: the 200 strangers, white noise, and the shipped listener?"


@functools.cache
def _shares():
    listener, strangers = load_listener(), spoken_digits("validation", 200, seed=1)
    waves = strangers.waves.float() / 2**15
    found = []
    for decibels in (20.0, 10.0, 0.0, -10.0):
        white = noise(waves.shape, 0, torch.Generator().manual_seed(1))
        heard = listener.logits(fit(mixed(waves, white, decibels))).argmax(dim=1)
        found.append((heard == strangers.digits).double().mean().item())
    return found
