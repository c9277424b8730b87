"""Lesson: sound."""

from tfbook.exercises import sound as exercises


def add_noise(wave, noise, decibels, per=20, sign=-1):
    scale = (wave.square().mean() / noise.square().mean()).sqrt()
    return wave + noise * scale * 10 ** (sign * decibels / per)


TRUTHS = {"_shares": [0.985, 0.97, 0.84, 0.26]}
RIGHT = {
    exercises.check_rows: [101],
    exercises.check_noise: [add_noise, lambda w, n, d: add_noise(w, -n, d)],
    exercises.check_levels: [[0.99, 0.97, 0.84, 0.26], (0.97, 0.95, 0.85, 0.28)],
}
WRONG = [
    (exercises.check_rows, "101", "a number"),
    (exercises.check_rows, 100, "the class token"),
    (exercises.check_rows, 21, "16 bands high"),
    (exercises.check_rows, 201, "count the frames"),
    (exercises.check_noise, lambda w, n, d: w.sum(), "a tensor of shape"),
    (exercises.check_noise, lambda w, n, d: add_noise(w, n, d, sign=1), "the sign"),
    (exercises.check_noise, lambda w, n, d: add_noise(w, n, d, per=10), "in 20 dB"),
    (exercises.check_noise, lambda w, n, d: w + n, "asked for"),
    (
        exercises.check_noise,
        lambda w, n, d: add_noise(w, n.flip(0), d),
        "the noise that is given",
    ),
    (exercises.check_levels, 0.5, "a list of 4 numbers"),
    (exercises.check_levels, [97, 90, 70, 30], "a share from 0 to 1"),
    (exercises.check_levels, [0.3, 0.7, 0.9, 0.97], "the least noise"),
    (exercises.check_levels, [0.6, 0.5, 0.4, 0.3], "fitted after mixing"),
    (exercises.check_levels, [0.98, 0.97, 0.84, 0.95], "was it added"),
    (exercises.check_levels, [0.99, 0.97, 0.6, 0.26], "the 200 strangers"),
]
