"""Bugs in the block of today and in cheaper attention."""

from contextlib import contextmanager

import torch

from tfbook.model.masks import causal_mask
from tfbook.pitfalls.patching import patched, pitfall, replaced
from tfbook.variants import linear
from tfbook.variants.grouped import GroupedQueryAttention
from tfbook.variants.layers import RMSNorm
from tfbook.variants.window import window_mask


@pitfall(25)
def window_off_by_one():
    """A window of w shows w positions before the query's own, w + 1 in all.

    Looks innocent: `keys >= keys[past:, None] - window`: does a window count the query itself?
    Symptom: none in training; weights of a model that counts otherwise (Mistral counts itself)
    are a little worse beyond the window, and a cache that keeps a window decodes other text.
    Caught by: `window_ends_where_it_says`.
    """

    def one_more(length, window, past=0, device=None):
        return window_mask(length, window + 1, past, device)  # (1, 1, T, past + T)

    return replaced((window_mask, one_more))


@pitfall(26)
def chunk_sees_its_own_future():
    """In chunked linear attention the causal mask is missing inside of a chunk.

    Looks innocent: `output = query @ (state + key.mT @ value)`: from chunk to chunk all is causal.
    Symptom: the loss is far too good, and decoded text is nonsense; with chunks of one position
    all is well.
    Caught by: `no_leak_from_the_future`.
    """

    def everything(length, past=0, device=None):
        return torch.ones_like(
            causal_mask(length, past, device)
        )  # (1, 1, T, past + T)

    return patched(linear, "causal_mask", everything)


@pitfall(27)
def keys_repeated_in_turn():
    """Heads of queries use the heads of keys in turn, 0 1 0 1, instead of sharing them, 0 0 1 1.

    Looks innocent: `key.repeat(1, n_heads // n_key_heads, 1, 1)` for `repeat_interleave`; or
    `key[:, None].expand(…)` for `key[:, :, None].expand(…)`.
    Symptom: none in a model of one's own, which learns what it is given; others' weights have
    the right shapes and give nonsense.
    Caught by: `loaded_equals_llama`.
    """

    def in_turn(self, x):
        return x.repeat(1, self.n_heads // self.n_key_heads, 1, 1)  # (B, H, S, D)

    return patched(GroupedQueryAttention, "for_each_head", in_turn)


@pitfall(28)
def rms_norm_over_time():
    """The root mean square is taken over the positions instead of the features.

    Looks innocent: `x.square().mean(1)` for `mean(-1)`: the shapes broadcast either way.
    Symptom: teacher-forced scores are excellent, since the scale of each position carries the
    future; decoding one symbol at a time, each norm sees a single position.
    Caught by: `no_leak_from_the_future`.
    """

    def over_time(self, x):
        mean_square = x.square().mean(dim=1, keepdim=True)  # (B, 1, d_model)
        return x * (mean_square + self.eps).rsqrt() * self.weight

    return patched(RMSNorm, "forward", over_time)


@pitfall(29)
@contextmanager
def rotary_applied_after_the_cache():
    """Keys are cached as they are, and all of them rotated later, from the query's position on.

    Looks innocent: `query, key = rotary(query, past), rotary(key, past)`, below the line that
    reads the cache.
    Symptom: training and decoding without a cache are right; with it, every distance is wrong by
    as much as was read before.
    Caught by: `cached_equals_full`.
    """
    project = GroupedQueryAttention.keys_and_values
    attend = GroupedQueryAttention.attend

    def not_turned(self, key, value, past=0):
        with patched(self, "rotate", None):
            return project(self, key, value, past)

    def turned_late(self, query, key, value, mask, past, need_weights):
        key = key if self.rotate is None else self.rotate(key, past)
        return attend(self, query, key, value, mask, past, need_weights)

    with (
        patched(GroupedQueryAttention, "keys_and_values", not_turned),
        patched(GroupedQueryAttention, "attend", turned_late),
    ):
        yield
