"""Lesson: the block."""

import torch

from tfbook.exercises import block as exercises


def rms(x, gain, eps, *, axis=-1, center=False, inside=True, use_gain=True):
    """The RMS norm, with the usual slips as options."""
    x = x - x.mean(axis, keepdim=True) if center else x
    square = x.square().mean(axis, keepdim=True)
    root = (square + eps).sqrt() if inside else square.sqrt() + eps
    return x / root * (gain if use_gain else 1)


def slip(**options):
    return lambda *arguments: rms(*arguments, **options)


RIGHT = {
    exercises.check_layer_parameters: [
        4 * (10 * 10 + 10) + 2 * 10 * 20 + 20 + 10 + 4 * 10
    ],
    exercises.check_rms_norm: [
        rms,
        lambda x, gain, eps: torch.rsqrt((x * x).mean(-1, True) + eps) * x * gain,
    ],
    exercises.check_third_place: [8.47, 7.8, 9.2],
}
WRONG = [
    (exercises.check_layer_parameters, 1330, "here it is 2 d"),
    (exercises.check_layer_parameters, 840, "mind the biases"),
    (exercises.check_layer_parameters, 870, "two norms"),
    (exercises.check_rms_norm, slip(center=True), "no mean is subtracted"),
    (exercises.check_rms_norm, slip(use_gain=False), "the gain is missing"),
    (exercises.check_rms_norm, slip(axis=1), "over the last axis"),
    (exercises.check_rms_norm, slip(inside=False), "eps inside the root"),
    (
        exercises.check_rms_norm,
        lambda x, gain, eps: x.mean(),
        "(B, T, d_model) = (2, 7, 5)",
    ),
    (exercises.check_rms_norm, lambda x, gain: x, "a function of"),
    (exercises.check_third_place, 3e8, "around f(x)"),
    (exercises.check_third_place, 0.12, "the other way round"),
    (exercises.check_third_place, 1.1, "five seeds"),
    (exercises.check_third_place, 4.1, "24 layers"),
    (exercises.check_third_place, 29, "24 layers"),
    (exercises.check_third_place, float("nan"), "a finite number"),
]
