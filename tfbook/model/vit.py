"""The Vision Transformer: a picture is a sequence of patches."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from tfbook.model.checks import check_count
from tfbook.model.layers import init_weights
from tfbook.model.transformer import Encoder


def patches(
    image: Float[Tensor, "B C height width"], size: Sequence[int]
) -> Float[Tensor, "B S values"]:
    """Pictures (B, C, height, width) to their patches in reading order, (B, S, C·h·w).

    size: (h, w) of a patch; its values are those of the first channel, row by row, then
    those of the next. Raises ValueError unless image has four axes and h and w divide its
    height and width.
    """
    h, w = check_patches(image.shape, size)
    cut = image.unfold(2, h, h).unfold(3, w, w)  # (B, C, rows, columns, h, w)
    cut = cut.permute(0, 2, 3, 1, 4, 5)  # (B, rows, columns, C, h, w)
    return cut.flatten(3).flatten(1, 2)  # (B, S, C·h·w)


def check_patches(shape: Sequence[int], size: Sequence[int]) -> tuple[int, int]:
    """Whether pictures of a shape (B, C, height, width) can be cut into patches; returns
    size as (h, w). Raises ValueError or TypeError naming image or size.
    """
    if len(shape) != 4:
        raise ValueError(f"image must be (B, C, height, width), got {tuple(shape)}")
    if not isinstance(size, tuple | list) or len(size) != 2:
        raise TypeError(f"size must be a pair (h, w), got {size!r}")
    for length in size:
        check_count("size", length)
    if shape[2] % size[0] or shape[3] % size[1]:
        raise ValueError(
            f"size must divide the height and width of {tuple(shape)}, got {size}"
        )
    return size[0], size[1]


class ViT(nn.Module):
    r"""Patches, a class token and learned positions through the encoder to classes.

    $z_0 = [x_\text{class}; x_1 E; \ldots; x_S E] + E_\text{pos}$, and the scores are a
    linear map of the class token's last vector (Dosovitskiy et al. 2021, equations 1 to
    4). config: a `TransformerConfig` whose positions are "learned", a table of the model's
    own as long as there are patches and one more, or "none". image_size: (height, width);
    patch_size: (h, w), which divide them. Called with image (B, n_channels, height,
    width); returns logits (B, n_classes). Raises ValueError or TypeError naming the
    argument.
    """

    def __init__(self, config, image_size, patch_size, n_classes, n_channels=1):
        super().__init__()
        check_count("n_classes", n_classes)
        check_count("n_channels", n_channels)
        if config.positions not in ("learned", "none"):
            raise ValueError(
                f"config.positions must be 'learned' or 'none', got {config.positions!r}"
            )
        self.config = config
        self.image_shape = (n_channels, *image_size)
        h, w = check_patches((1, *self.image_shape), patch_size)
        self.patch_size = h, w
        n_patches = (image_size[0] // h) * (image_size[1] // w)
        self.project = nn.Linear(n_channels * h * w, config.d_model)
        self.class_token = nn.Parameter(torch.empty(1, 1, config.d_model))
        if config.positions == "learned":
            table = torch.empty(1, 1 + n_patches, config.d_model)
            self.position_embedding = nn.Parameter(nn.init.normal_(table, std=0.02))
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = Encoder(config)
        self.output = nn.Linear(config.d_model, n_classes)
        nn.init.normal_(self.class_token, std=0.02)
        init_weights(self)

    def forward(
        self, image: Float[Tensor, "B C height width"]
    ) -> Float[Tensor, "B n_classes"]:
        x = self.embed(image)  # (B, 1 + S, d_model)
        return self.output(self.encoder(x)[:, 0])  # (B, n_classes)

    def embed(
        self, image: Float[Tensor, "B C height width"]
    ) -> Float[Tensor, "B all d_model"]:
        """Pictures (B, C, height, width) to the vectors that enter the encoder,
        (B, 1 + S, d_model), the class token first.
        """
        if image.shape[1:] != self.image_shape:
            raise ValueError(
                f"image must be (B, {', '.join(map(str, self.image_shape))}), "
                f"got {tuple(image.shape)}"
            )
        x = self.project(patches(image, self.patch_size))  # (B, S, d_model)
        first = self.class_token.expand(len(x), -1, -1)  # (B, 1, d_model)
        x = torch.cat((first, x), dim=1)  # (B, 1 + S, d_model)
        if self.config.positions == "learned":
            x = x + self.position_embedding  # (B, 1 + S, d_model)
        return self.dropout(x)
