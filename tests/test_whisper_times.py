"""The clock in Whisper's cross-attention, against `transformers`' own warping and maps."""

import pytest
import torch
from transformers import WhisperConfig, WhisperForConditionalGeneration
from transformers.models.whisper.generation_whisper import _dynamic_time_warping

from tfbook import TransformerConfig
from tfbook.pretrained.whisper import PROMPT, STOP, Whisper, load_whisper
from tfbook.pretrained.word_times import (
    SECONDS,
    alignment_map,
    cheapest_path,
    word_times,
)


@pytest.fixture(scope="module")
def ours():
    return load_whisper()


def price(path, cost):
    return sum(cost[cell].item() for cell in path)


@pytest.mark.parametrize(
    "sizes", [(1, 1), (1, 5), (5, 1), (3, 4), (7, 23), (11, 5)]
)
def test_the_path_is_theirs(sizes):
    cost = torch.randn(*sizes, dtype=torch.float64)
    rows, columns = _dynamic_time_warping(cost.numpy())
    path = cheapest_path(cost)
    assert path == list(zip(rows.tolist(), columns.tolist(), strict=True))


def every_path(t, s):
    """All ways from the first cell to (t, s)."""
    if (t, s) == (0, 0):
        yield [(0, 0)]
    for before in ((t - 1, s - 1), (t - 1, s), (t, s - 1)):
        if min(before) >= 0:
            yield from ([*path, (t, s)] for path in every_path(*before))


def test_no_path_is_cheaper():
    for _ in range(20):
        cost = torch.rand(3, 5, dtype=torch.float64)
        least = min(price(path, cost) for path in every_path(2, 4))
        assert price(cheapest_path(cost), cost) == pytest.approx(least)


def test_of_equals_the_diagonal_is_taken():
    assert cheapest_path(torch.zeros(3, 3)) == [(0, 0), (1, 1), (2, 2)]


@pytest.mark.parametrize("shape", [(3,), (0, 3), (2, 3, 4)])
def test_what_is_no_table(shape):
    with pytest.raises(ValueError, match=r"cost must be \(T, S\), got shape \("):
        cheapest_path(torch.zeros(shape))


def test_the_map_is_the_mean_of_their_heads(ours):
    """The rows that predict ids and stop, of `transformers`' own cross-attentions."""
    config = WhisperConfig(
        vocab_size=51864,
        max_source_positions=11,
        d_model=30,
        encoder_attention_heads=5,
        decoder_attention_heads=5,
        encoder_layers=2,
        decoder_layers=2,
        encoder_ffn_dim=23,
        decoder_ffn_dim=23,
        attn_implementation="eager",
    )
    theirs = WhisperForConditionalGeneration(config).double().eval()
    sizes = {"d_model": 30, "n_heads": 5, "n_layers": 2, "d_ff": 23}
    small = Whisper(
        TransformerConfig(
            target_vocab=51864,
            **sizes,
            dropout=0.0,
            positions="learned",
            activation="gelu",
            pad=STOP,
            max_length=448,
        ),
        length=11,
    )
    small = small.double().eval()
    decoder = theirs.model.decoder
    with torch.no_grad():
        for parameter in decoder.parameters():
            parameter.normal_(std=0.3)
        embedding = small.target_embedding
        embedding.tokens.weight.copy_(decoder.embed_tokens.weight)
        embedding.position_embedding.weight.copy_(decoder.embed_positions.weight)
        for layer, other in zip(small.decoder.layers, decoder.layers, strict=True):
            attentions = (
                (layer.self_attention, other.self_attn),
                (layer.cross_attention, other.encoder_attn),
            )
            for mine, its in attentions:
                mine.key_projection.bias.zero_()
                mine.key_projection.weight.copy_(its.k_proj.weight)
                for name in ("query", "value", "output"):
                    short = {
                        "query": "q_proj",
                        "value": "v_proj",
                        "output": "out_proj",
                    }
                    part = getattr(mine, f"{name}_projection")
                    part.load_state_dict(getattr(its, short[name]).state_dict())
            layer.feed_forward.linear_1.load_state_dict(other.fc1.state_dict())
            layer.feed_forward.linear_2.load_state_dict(other.fc2.state_dict())
            norms = (
                other.self_attn_layer_norm,
                other.encoder_attn_layer_norm,
                other.final_layer_norm,
            )
            for mine, its in zip(layer.add_norm, norms, strict=True):
                mine.norm.load_state_dict(its.state_dict())
    memory, ids = torch.randn(1, 11, 30, dtype=torch.float64), [383, 2068, 7586]
    with torch.no_grad():
        maps = decoder(
            input_ids=torch.tensor([[*PROMPT, *ids]]),
            encoder_hidden_states=memory,
            output_attentions=True,
        ).cross_attentions
    wanted = (maps[0][0, 3] + maps[1][0, 1] + maps[1][0, 4])[1:] / 3  # (T, S)
    found = alignment_map(small, memory, ids, [(0, 3), (1, 1), (1, 4)])
    assert found.shape == (4, 11)
    assert (found - wanted).abs().max() <= 1e-10


def test_words_come_in_order_whole_and_inside_the_sound(ours):
    text = " A physician, unbelievably, healed it."
    ids = ours.tokenizer.encode(text, add_special_tokens=False).ids
    assert len(ids) > 5
    memory = torch.randn(1, 1500, 384)
    found = word_times(ours, memory, torch.tensor([*ids, STOP, STOP]), 2.0)
    assert [word for word, _ in found] == text.split()
    times = [time for _, time in found]
    assert times == sorted(times) and times[0] == 0 and times[-1] < 2.0
    assert all(round(time / SECONDS, 6).is_integer() for time in times)


@pytest.mark.parametrize(
    "text",
    [
        " ♪ la ♪",
        " It's naïve — “très” naïve!",
        " 谁在读 this 🎉🎉 now",
        " two  blanks and one at the end ",
        "♪la no blank first",
    ],
)
def test_letters_of_several_ids_stay_whole(ours, text):
    """The words are the text's, although single ids are parts of characters."""
    ids = ours.tokenizer.encode(text, add_special_tokens=False).ids
    found = word_times(ours, torch.randn(1, 1500, 384), torch.tensor(ids), 2.0)
    assert [word for word, _ in found] == text.split()


def test_a_transcript_without_words(ours):
    assert (
        word_times(ours, torch.randn(1, 1500, 384), torch.tensor([STOP]), 2.0) == []
    )


@pytest.mark.parametrize(
    "ids, seconds, error, message",
    [
        (
            torch.tensor([[383]]),
            2.0,
            ValueError,
            r"ids must be \(T,\), got shape \(1, 1\)",
        ),
        ([383], 2.0, TypeError, "ids must be a torch.Tensor, got list"),
        (torch.tensor([383]), 0, ValueError, "seconds must be positive.*got 0"),
        (
            torch.tensor([383]),
            -1.0,
            ValueError,
            r"seconds must be positive.*got -1\.0",
        ),
        (torch.tensor([383]), 30.1, ValueError, r"at most 30, got 30\.1"),
        (
            torch.tensor([383]),
            torch.nan,
            ValueError,
            "seconds must be positive.*got nan",
        ),
        (torch.tensor([383]), "2", TypeError, "seconds must be a number, got '2'"),
    ],
)
def test_what_has_no_times(ours, ids, seconds, error, message):
    with pytest.raises(error, match=message):
        word_times(ours, torch.randn(1, 1500, 384), ids, seconds)


def test_without_a_tokenizer_there_are_no_words(ours, monkeypatch):
    monkeypatch.setattr(ours, "tokenizer", None)
    with pytest.raises(ValueError, match=r"model must have a tokenizer.*got None"):
        word_times(ours, torch.randn(1, 1500, 384), torch.tensor([383]), 1.0)


def test_a_table_that_is_not_finite():
    with pytest.raises(ValueError, match="cost must be finite, got nan"):
        cheapest_path(torch.tensor([[0.0, torch.nan]]))


def test_hooks_are_taken_off_even_after_an_error(ours):
    with pytest.raises(ValueError, match="memory must have shape"):
        alignment_map(ours, torch.randn(1, 1500, 383), [383])
    hooks = [
        layer.cross_attention._forward_pre_hooks for layer in ours.decoder.layers
    ]
    assert not any(hooks)
