"""Lesson: what it costs."""

from tfbook.exercises import cost as exercises

N, D = 1024, 768
LAYER = 24 * N * D**2 + 4 * N**2 * D


def model_flops(config, s, t, *, output=True, cross=True):
    d, d_ff = config.d_model, config.d_ff
    projections = 8 * d * d * s + 8 * d * d * t
    pairs = 4 * d * (s * s + t * t)
    if cross:
        projections += 4 * d * d * (s + t)
        pairs += 4 * d * s * t
    layer = projections + pairs + 4 * d * d_ff * (s + t)
    return config.n_layers * layer + 2 * t * d * config.target_vocab * output


RIGHT = {
    exercises.check_layer_flops: [(LAYER, 4 * N**2 * D / LAYER), [17.7e9, 0.182]],
    exercises.check_model_flops: [model_flops],
    exercises.check_crossing: [640, 640.0],
}
WRONG = [
    (exercises.check_layer_flops, LAYER, "a list of 2 numbers"),
    (exercises.check_layer_flops, (LAYER / 2, 0.18), "two operations"),
    (exercises.check_layer_flops, (24 * N * D, 0.18), "into the formula"),
    (exercises.check_layer_flops, (LAYER, 18.0), "from 0 to 1"),
    (
        exercises.check_model_flops,
        lambda *given: model_flops(*given, output=False),
        "the output layer is missing",
    ),
    (
        exercises.check_model_flops,
        lambda *given: model_flops(*given, cross=False),
        "source 7, target 5",
    ),
    (exercises.check_model_flops, lambda *given: "many", "should be a number"),
    (exercises.check_crossing, 384, "with d_ff = 8 d"),
    (exercises.check_crossing, 640.5, "a whole number"),
]
