"""GPT: a decoder alone, which reads its own output."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from tfbook.model.cache import KeyValueCache
from tfbook.model.checks import check_ids
from tfbook.model.layers import InputEmbedding, init_weights
from tfbook.model.masks import causal_mask
from tfbook.model.transformer import Decoder


class GPT(nn.Module):
    r"""The decoder without a memory: ids in, logits over the next id out.

    Sources: Radford et al. 2018 and 2019. Called with target (B, T) integers; returns
    logits (B, T, V), those at position t from the ids up to t. Token embeddings are not
    scaled by $\sqrt{d_\text{model}}$ here, and tied embeddings are the output. Short rows
    are filled up at their end: since no position sees a later one, that needs no mask.
    config needs a target_vocab. Raises TypeError or ValueError naming config or target.
    """

    def __init__(self, config):
        super().__init__()
        if config.target_vocab is None:
            raise ValueError(
                "config.target_vocab must be a number of symbols here, got None"
            )
        self.config = config
        self.target_embedding = InputEmbedding(
            config.target_vocab, config, scaled=False
        )
        self.decoder = Decoder(config, cross_attention=False)
        self.output = nn.Linear(config.d_model, config.target_vocab, bias=False)
        init_weights(self)
        if config.tie_embeddings:
            self.output.weight = self.target_embedding.tokens.weight

    def forward(self, target: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        return self.decode(target)  # (B, T, V)

    def decode(
        self,
        target: Int[Tensor, "B T"],
        memory: None = None,
        source_mask: None = None,
        cache: KeyValueCache | None = None,
    ) -> Float[Tensor, "B T V"]:
        """Target ids (B, T) to logits (B, T, V); memory and source_mask are None.

        With a `KeyValueCache`, target holds only the ids that are new since the last
        call. Raises TypeError or ValueError naming target or memory.
        """
        check_ids("target", target)
        past = 0 if cache is None else cache.length
        x = self.target_embedding(target, past, name="target")  # (B, T, d_model)
        mask = causal_mask(target.size(1), past, target.device)
        # (B, T, d_model)
        x = self.decoder(x, memory, mask, source_mask, cache=cache)
        if cache is not None:
            cache.extend(target.new_ones(target.shape).bool()[:, None, None])
        return self.output(x)  # (B, T, V)
