"""What a reader says to each exercise before thinking: the answer that it is there to refute."""

from answers import (
    backward,
    block,
    cost,
    decoding,
    five_steps,
    full_transformer,
    images,
    language,
    looking_inside,
    masks,
    recurrent_or_attention,
    rules_to_learning,
    self_attention,
    sound,
    training,
    vectors,
)
from answers import heads as of_heads

from tfbook.model.positions import apply_rotary

NAIVE = {  # name of the check: (why one would say so, the answer)
    # 1.0
    "check_counts": ("a window begins at every 160th sample", (196, 100)),
    "check_pictures_again": (
        "the shape fits",
        lambda x, r, c: x.reshape(len(x), r * int(x.size(-1) ** 0.5), -1),
    ),
    "check_shuffled": ("as without positions", 0.69),
    # 1.1
    "check_cheese": ("as it is said", "CH IY Z".split()),
    "check_sound_of_each_letter": (
        "silence is no sound",
        rules_to_learning.slip(silence=False),
    ),
    "check_narrow_window": ("as with three letters", 0.567),
    # 2.1
    "check_steps_of_a_forget_gate": ("14.7 steps, cut off", 14),
    "check_last_states": ("the last column", lambda x, lengths: x[:, -1]),
    "check_forget_bias": ("the bias of the lesson", 3),
    # 2.2
    "check_length_of_equal_cost": ("the length is the width", 32),
    "check_self_attention": (
        "without the scale",
        lambda *given: self_attention.attention(*given, scale=1),
    ),
    "check_other_distance": ("it has learned 'the first symbol'", 1.0),
    # 2.3
    "check_best_with_one_mean": ("one of two is right", 0.5),
    "check_grouped_query_attention": ("repeat, ABAB", of_heads.tiled),
    "check_without_order": ("as with the order", 0.28),
    # 3.1
    "check_three_merges": ("counted once", ["at", "cat", "ats"]),
    "check_encode": ("the longest piece first", vectors.longest_first),
    "check_other_text": ("as in code", 3.9),
    # 3.2
    "check_weights": ("without the scale", [1 / 26, 9 / 26, 16 / 26]),
    "check_attention": ("without the scale", five_steps.slip(root=0)),
    "check_sharpness": ("0.99 / 0.768", 0.99 / 0.768),
    # 3.3
    "check_count": ("two triangles", 30),
    "check_window": ("the window and itself", masks.slip(wider=1)),
    "check_pads_needed": ("as many as in training", 3),
    # 3.4
    "check_full_turn": ("one over the frequency", 100),
    "check_rotate_halves": ("neighbours", apply_rotary),
    "check_half_distances": ("the base does not matter", (28, 28)),
    # 3.5
    "check_layer_parameters": ("12 d² + 13 d", 1330),
    "check_rms_norm": ("the layer norm", block.slip(center=True)),
    "check_third_place": ("it explodes, as without a norm", 3e8),
    # 3.6
    "check_even_softmax": ("the weights themselves", (1 / 4, 1 / 4)),
    "check_masked_backward": (
        "the softmax is not derived",
        lambda *given: backward.by_hand(*given, average=False),
    ),
    "check_value_bias": ("each position has weights of its own", False),
    # 3.7
    "check_layer_flops": ("multiplications alone", (cost.LAYER / 2, 0.182)),
    "check_model_flops": (
        "the layers alone",
        lambda *given: cost.model_flops(*given, output=False),
    ),
    "check_crossing": ("as with 4 d", 384),
    # 4.1
    "check_article_parameters": ("without biases", 7 * 12 + 12 * 12),
    "check_split_heads": (
        "the shape fits",
        lambda x, n: x.view(len(x), n, x.size(1), -1),
    ),
    "check_reach": ("twice as far with each layer", 16),
    # 4.2
    "check_decoder_layer_parameters": (
        "an encoder layer's",
        full_transformer.ATTENTION
        + full_transformer.FEED_FORWARD
        + 2 * full_transformer.NORM,
    ),
    "check_greedy": (
        "goes on behind the stop",
        full_transformer.slip(pads="never"),
    ),
    "check_without_positions": ("as with positions", 0.97),
    # 4.3
    "check_first_losses": ("smoothing takes a tenth off", (3.738, 3.364)),
    "check_smoothed_loss": (
        "the share goes to the others",
        training.smoothed_over_the_others,
    ),
    "check_wider_batches": ("as in small batches", 0.003),
    # 4.4
    "check_cache_positions": ("ten times ten", (100, 10)),
    "check_passes": ("what is mended does not count", [1, 4, 3]),
    "check_top_p": (
        "scaled to nothing",
        lambda p, share: decoding.top_p(p, share, scaled=False),
    ),
    "check_length_penalty": ("a penalty makes them shorter", -0.36),
    # 4.5
    "check_rows": ("the row that has read it", (3, 8)),
    "check_rollout": (
        "in the order of the layers",
        lambda maps: looking_inside.rollout(maps, reverse=True),
    ),
    "check_together": ("they add up", 1.0),
    # 4.6
    "check_kept_numbers": ("one number a width and symbol", (256_000, 336)),
    "check_paired_error": (
        "the mean is nearly zero",
        recurrent_or_attention.without_the_mean,
    ),
    "check_three_layers": ("two thirds of the width", 112),
    # 4.7
    "check_costs": ("nats are bits", (3.1 / 4.2, 0.9)),
    "check_temperature": (
        "nats are bits",
        lambda x, bits: language.temperature(x, bits, nats=True),
    ),
    "check_copied": (
        "a part of a line",
        lambda t, f: language.copied(t, f, part=True),
    ),
    # 4.8
    "check_crossings": ("as in the full date", 5),
    "check_ceiling": (
        "one answer each",
        lambda pairs: len(dict(pairs)) / len(pairs),
    ),
    "check_weekday": ("both are new, both fail", (0.0, 0.0)),
    # 4.9
    "check_finer_patches": ("the patches alone", (196, 16.0)),
    "check_places_for_grid": (
        "corners on corners",
        lambda t, old, new: images.for_grid(t, old, new, corners=True),
    ),
    "check_many_looks": ("a pixel does no harm", (0.97, 0.98)),
    # 4.10
    "check_rows of sound": ("the patches alone", 100),
    "check_noise": (
        "ten decibels are a factor of ten",
        lambda w, n, d: sound.add_noise(w, n, d, per=10),
    ),
    "check_levels": ("noise does no harm", [0.99, 0.99, 0.99, 0.99]),
    # 4.11
    "check_share": ("a table is small", 0.1),
    "check_head_by_head": ("three pieces", lambda weight, n_heads: weight.chunk(3)),
    "check_silence": ("both come later", (2.0, 2.26)),
}
