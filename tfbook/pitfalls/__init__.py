"""A gallery of bugs: each known mistake in a Transformer, as a context manager that patches it in.

    with causal_mask_missing():
        ...                     # every model carries the bug
    ...                         # and none does

The model has no flags for them: a bug lives here alone, in the fewest lines that carry it. Each
docstring says what is wrong, the line that looks innocent, the symptom, and the check that catches
it, of tests/invariants.py, tests/test_pitfalls.py or tests/training_checks.py. `PITFALLS` maps
names to functions, in the order of their topics, `function.number`.
"""

from tfbook.pitfalls.embeddings import (
    cached_position_restarts,
    odd_width_crashes,
    positions_added_to_rows,
    positions_not_used,
    tied_embeddings_start_too_large,
)
from tfbook.pitfalls.evaluation import (
    decoding_starts_with_stop,
    scored_with_teacher_forcing,
    variants_in_train_and_test,
    vocabulary_grows_in_test,
)
from tfbook.pitfalls.layers import (
    dropout_live_in_eval,
    embedding_dropout_missing,
    final_norm_forgotten,
    layers_start_identical,
    norm_with_eps_outside_the_root,
    norm_with_unbiased_deviation,
    zero_dropout_ignored,
)
from tfbook.pitfalls.leaks import (
    batch_and_time_swapped,
    norm_over_time,
    softmax_over_queries,
)
from tfbook.pitfalls.masks import (
    causal_mask_missing,
    causal_mask_top_left,
    cross_attention_mask_dropped,
    fully_masked_row_is_nan,
    fully_masked_row_is_uniform,
    mask_inverted,
    mask_lost_after_first_layer,
    mask_overflows_in_half,
    padding_mask_on_rows,
)
from tfbook.pitfalls.training import (
    pads_counted_in_loss,
    pieces_are_summed,
    pieces_weigh_alike,
    schedule_steps_with_each_piece,
    smoothed_loss_is_a_divergence,
    smoothed_loss_is_nan,
)

PITFALLS = {
    bug.__name__: bug
    for bug in (
        mask_inverted,
        padding_mask_on_rows,
        fully_masked_row_is_nan,
        fully_masked_row_is_uniform,
        mask_overflows_in_half,
        cross_attention_mask_dropped,
        causal_mask_missing,
        causal_mask_top_left,
        mask_lost_after_first_layer,
        norm_over_time,
        batch_and_time_swapped,
        softmax_over_queries,
        final_norm_forgotten,
        norm_with_unbiased_deviation,
        norm_with_eps_outside_the_root,
        zero_dropout_ignored,
        layers_start_identical,
        embedding_dropout_missing,
        dropout_live_in_eval,
        tied_embeddings_start_too_large,
        positions_added_to_rows,
        positions_not_used,
        odd_width_crashes,
        cached_position_restarts,
        smoothed_loss_is_a_divergence,
        smoothed_loss_is_nan,
        pads_counted_in_loss,
        pieces_are_summed,
        pieces_weigh_alike,
        schedule_steps_with_each_piece,
        vocabulary_grows_in_test,
        variants_in_train_and_test,
        scored_with_teacher_forcing,
        decoding_starts_with_stop,
    )
}
