"""Spectrograms changed a little, so that a model can't learn one by heart."""

import torch


def spec_augment(pictures, n_bands, n_frames, generator=None):
    """Pictures (B, 1, n_mels, T) with a band of 0 to n_bands pitches and a stretch of 0
    to n_frames frames blanked in each, at random places: what is left must do (Park et
    al. 2019). 0 is the pictures' mean. Raises ValueError when a width is negative or
    more than there is.
    """
    for axis, name, most in (2, "n_bands", n_bands), (3, "n_frames", n_frames):
        size = pictures.size(axis)
        if not 0 <= most <= size:
            raise ValueError(f"{name} must be from 0 to {size}, got {most}")
        width, start = torch.rand(2, len(pictures), 1, 1, 1, generator=generator)
        width = (width * (most + 1)).long()
        start = (start * (size - width + 1)).long()
        shape = (1, 1, -1, 1) if axis == 2 else (1, 1, 1, -1)
        place = torch.arange(size).view(shape)  # (1, 1, n_mels, 1) or (1, 1, 1, T)
        blank = (start <= place) & (place < start + width)
        pictures = pictures.masked_fill(blank.to(pictures.device), 0.0)
    return pictures


def warp(pictures, axis, most, generator=None):
    """Pictures (B, 1, n_mels, T) bent along pitch (axis 2) or time (axis 3): a place in
    the middle third moves by up to `most` steps, and what is beside it is squeezed or
    drawn out, as in Park et al. 2019. Raises ValueError unless `most` is less than a
    third of the steps there are.
    """
    size = pictures.size(axis)
    if not 0 <= most < size / 3:
        raise ValueError(f"most must be from 0 to a third of {size}, got {most}")
    middle, shift = torch.rand(2, len(pictures), 1, generator=generator)
    middle = (1 + middle) * (size - 1) / 3  # (B, 1)
    moved = middle + (2 * shift - 1) * most
    place = torch.arange(size)[None]  # (1, steps)
    before = place * middle / moved
    behind = (size - 1 - middle) / (size - 1 - moved)
    source = torch.where(place < moved, before, middle + (place - moved) * behind)
    left = source.long().clamp(0, size - 2)  # (B, steps)
    share = (source - left).to(pictures)
    shape = (-1, 1, size, 1) if axis == 2 else (-1, 1, 1, size)
    left, share = left.view(shape), share.view(shape)  # (B, 1, n_mels or 1, T or 1)
    left = left.expand_as(pictures).to(pictures.device)
    low, high = pictures.gather(axis, left), pictures.gather(axis, left + 1)
    return low + share * (high - low)
