r"""muP: start and learning rate of each parameter by the width of the model, so that the best
learning rate of a narrow model is that of a wide one.

Source: Yang et al. 2022, Tensor Programs V, table 3 and appendix B.1, for Adam, with an untied
output. The heads' width stays the same while a model gets wider, so that the scores need no
other scale.
"""

import torch

from tfbook.model.checks import check_count


def mup_factors(model, base_width: int) -> dict[str, tuple[float, float]]:
    r"""For each parameter of a `GPT` or `LanguageModel` the pair (start, learning rate) of what
    both are multiplied by, relative to the same model of width base_width.

    With $m = d_\text{model} / base\_width$: the embeddings, which start with deviation
    $1/\sqrt{d_\text{model}}$ otherwise, keep the base's: $(\sqrt m, 1)$. Learned positions,
    gains and biases: (1, 1). Matrices between: (1, 1/m), since Xavier's start shrinks already
    when all widths grow alike. The output: a start with 1/m of the base's deviation, and 1/m.
    Raises ValueError for a tied output, which
    would be scaled as two things at once, TypeError or ValueError unless base_width is a count.
    """
    check_count("base_width", base_width)
    if model.config.tie_embeddings:
        raise ValueError("model must have tie_embeddings=False for muP, got True")
    wider = model.config.d_model / base_width
    # Xavier's start of the output depends on the vocabulary as well
    vocab = model.config.target_vocab
    narrower = (model.config.d_model + vocab) / (base_width + vocab)
    factors = {}
    for name, parameter in model.named_parameters():
        if name == "target_embedding.tokens.weight":
            factors[name] = wider**0.5, 1.0
        elif name == "output.weight":
            factors[name] = narrower**0.5 / wider, 1 / wider
        elif parameter.dim() < 2 or name.startswith("target_embedding."):
            factors[name] = 1.0, 1.0
        else:
            factors[name] = 1.0, 1 / wider
    return factors


def mup(model, base_width: int, learning_rate: float) -> list[dict]:
    """Scale the parameters of a model that is not trained yet as `mup_factors` says, and return
    the groups for `torch.optim.Adam` or AdamW: one of parameters for each learning rate. Errors
    as in `mup_factors`.
    """
    groups = {}
    with torch.no_grad():
        for name, (start, rate) in mup_factors(model, base_width).items():
            parameter = model.get_parameter(name)
            parameter.mul_(start)
            groups.setdefault(rate, []).append(parameter)
    return [
        {"params": parameters, "lr": learning_rate * rate}
        for rate, parameters in groups.items()
    ]
