"""The numbers that define one Transformer, checked when they are written down."""

from dataclasses import dataclass

from tfbook.model.checks import (
    check_count,
    check_heads,
    check_number,
    check_probability,
)

CHOICES = {
    "norm": ("pre", "post"),
    "positions": ("sinusoidal", "learned", "rotary", "none"),
    "activation": ("relu", "gelu", "gelu_tanh"),
}


@dataclass(frozen=True)
class TransformerConfig:
    r"""The shape of a Transformer.

    The defaults are the base model of Vaswani et al. 2017, table 3, with pre-norm.
    source_vocab, target_vocab: numbers of symbols; only `Transformer` needs them.
    d_model: width of every vector between layers. n_heads: heads, each
    $d_\text{head} = d_\text{model} / n_\text{heads}$ wide. n_layers: layers of the
    encoder, and again of the decoder. d_ff: width inside the feed-forward network.
    dropout: share of values set to zero in training. norm: "pre" normalises what
    enters a sublayer (Xiong et al. 2020), "post" what leaves it (the paper).
    final_norm: one more norm after the last layer; by default only with "pre", where the
    residual sum leaves the last layer unnormalised. positions: how order gets in, "sinusoidal",
    "learned", "rotary" or "none". activation: inside the feed-forward, "relu",
    "gelu" or "gelu_tanh". norm_eps: the small number under a norm's root.
    tie_embeddings: the output projection is the target embedding (section 3.4).
    max_length: longest sequence accepted. pad: the id that fills short sequences
    up.

    Raises ValueError or TypeError naming the field. `d_head` is derived: d_model //
    n_heads.
    """

    source_vocab: int | None = None
    target_vocab: int | None = None
    d_model: int = 512
    n_heads: int = 8
    n_layers: int = 6
    d_ff: int = 2048
    dropout: float = 0.1
    norm: str = "pre"
    final_norm: bool | None = None
    positions: str = "sinusoidal"
    activation: str = "relu"
    tie_embeddings: bool = True
    norm_eps: float = 1e-5
    max_length: int = 512
    pad: int = 0

    def __post_init__(self):
        check_heads(self.d_model, self.n_heads, rotary=self.positions == "rotary")
        for name in ("n_layers", "d_ff", "max_length"):
            check_count(name, getattr(self, name))
        check_count("pad", self.pad, least=0)
        for name in ("source_vocab", "target_vocab"):
            size = getattr(self, name)
            if size is not None:
                check_count(name, size)
                if self.pad >= size:
                    raise ValueError(
                        f"pad must be an id below {name}={size}, got {self.pad}"
                    )
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ValueError(
                    f"{name} must be one of {choices}, got {getattr(self, name)!r}"
                )
        check_probability("dropout", self.dropout)
        for name in ("final_norm", "tie_embeddings"):
            flag = getattr(self, name)
            if not isinstance(flag, bool) and (name, flag) != ("final_norm", None):
                raise TypeError(f"{name} must be True or False, got {flag!r}")
        check_number("norm_eps", self.norm_eps)
        if not self.norm_eps > 0:
            raise ValueError(f"norm_eps must be positive, got {self.norm_eps}")

    @property
    def d_head(self) -> int:
        """Width of one head: d_model / n_heads."""
        return self.d_model // self.n_heads
