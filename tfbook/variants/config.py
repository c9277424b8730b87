"""The numbers of a block of today: those of a `TransformerConfig` and what has changed since."""

from dataclasses import dataclass

from tfbook.model.checks import check_count, check_number
from tfbook.model.config import TransformerConfig
from tfbook.variants.checks import check_base, check_key_heads

MIXERS = ("attention", "local", "linear", "state_space")
FLAGS = ("rms_norm", "swiglu", "bias", "qk_norm", "sink", "scale_residuals")
WITHOUT_USE = {  # what a mixer has no place for
    "linear": ("sink",),
    "state_space": ("sink", "qk_norm", "n_key_heads", "d_attention"),
}


@dataclass(frozen=True)
class BlockConfig(TransformerConfig):
    r"""A `TransformerConfig` with what has changed in the block since 2017, each change off
    by default and switchable alone. `LanguageModel` and `modernise` read it.

    rms_norm: norms divide by the root mean square and subtract nothing (`RMSNorm`). swiglu:
    the feed-forward network has a gate (`SwiGLU`), hence three matrices; two thirds of d_ff
    keep the parameters what they were. bias: False takes every bias out, those of norms
    included. rotary_base: of rotary positions, 10,000 in RoFormer, 500,000 in Llama 3.
    n_key_heads: heads of keys and values, each shared by n_heads / n_key_heads heads of
    queries; None for as many as n_heads, 1 for multi-query attention. qk_norm: queries and
    keys are normed in each head. sink: a query may attend to nothing. scale_residuals:
    what writes to the residual stream starts smaller, by one over the root of the number of
    sublayers. d_attention: the width of all heads together, None for d_model. The untied
    output is the `tie_embeddings` of a `TransformerConfig`.

    mixer: what lets positions see each other, "attention", "local" (`window`: how far back a
    query sees, itself counted), "linear" or "state_space". n_experts: feed-forward networks
    of a layer, of which a position uses top_k; balance: the weight of the loss that spreads
    positions evenly.

    Raises ValueError or TypeError naming the field.
    """

    rms_norm: bool = False
    swiglu: bool = False
    bias: bool = True
    rotary_base: float = 10_000.0
    n_key_heads: int | None = None
    qk_norm: bool = False
    sink: bool = False
    scale_residuals: bool = False
    d_attention: int | None = None
    mixer: str = "attention"
    window: int = 128
    n_experts: int = 1
    top_k: int = 1
    balance: float = 0.01

    def __post_init__(self):
        super().__post_init__()
        for name in FLAGS:
            if not isinstance(getattr(self, name), bool):
                raise TypeError(
                    f"{name} must be True or False, got {getattr(self, name)!r}"
                )
        check_base("rotary_base", self.rotary_base)
        check_key_heads(self.n_heads, self.n_key_heads, self.d_attention)
        check_count("window", self.window)
        check_count("n_experts", self.n_experts)
        check_count("top_k", self.top_k)
        if self.top_k > self.n_experts:
            raise ValueError(
                f"top_k must be at most n_experts={self.n_experts}, got {self.top_k}"
            )
        check_number("balance", self.balance)
        if not self.balance >= 0:
            raise ValueError(f"balance must not be negative, got {self.balance}")
        self._check_mixer()
        self._check_positions()

    def _check_mixer(self):
        """Raise ValueError unless the mixer is known and has a use for all that is set."""
        if self.mixer not in MIXERS:
            raise ValueError(f"mixer must be one of {MIXERS}, got {self.mixer!r}")
        for name in WITHOUT_USE.get(self.mixer, ()):
            if getattr(self, name):
                raise ValueError(
                    f"{name} must be left out with mixer={self.mixer!r}, which has no use "
                    f"for it, got {getattr(self, name)}"
                )
        if self.swiglu and self.activation != "relu":
            raise ValueError(
                "activation must be left out with swiglu=True, whose gate has its own, "
                f"got {self.activation!r}"
            )

    def _check_positions(self):
        """Raise ValueError unless rotary positions, and they alone, have what they need."""
        if self.positions != "rotary":
            if self.rotary_base != 10_000.0:
                raise ValueError(
                    f"positions must be 'rotary' to have rotary_base={self.rotary_base}, "
                    f"got {self.positions!r}"
                )
        elif self.mixer in WITHOUT_USE:
            raise ValueError(
                f"positions must not be 'rotary' with mixer={self.mixer!r}, which has "
                "no products of queries and keys to turn, got 'rotary'"
            )
        elif self.d_head % 2:
            raise ValueError(
                "d_attention must give heads of even width for rotary positions, "
                f"got {self.d_attention} for n_heads={self.n_heads}"
            )

    @property
    def d_head(self) -> int:
        """Width of one head: d_attention / n_heads, or d_model / n_heads."""
        return (self.d_attention or self.d_model) // self.n_heads
