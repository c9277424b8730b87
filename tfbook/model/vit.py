"""The Vision Transformer: a picture is a sequence of patches."""

import torch
from torch import nn

from tfbook.model.checks import check_count
from tfbook.model.dropout import Dropout
from tfbook.model.layers import init_weights
from tfbook.model.transformer import Encoder


def patches(image, size):
    """Pictures (B, C, height, width) to their patches in reading order, (B, S, C·h·w).

    size: (h, w) of a patch; its values are those of the first channel, row by row, then
    those of the next. Raises ValueError unless image has four axes and h and w divide its
    height and width.
    """
    if image.dim() != 4:
        raise ValueError(
            f"image must be (B, C, height, width), got {tuple(image.shape)}"
        )
    h, w = size
    if image.size(2) % h or image.size(3) % w:
        raise ValueError(
            f"size must divide the height and width of {tuple(image.shape)}, got {size}"
        )
    cut = image.unfold(2, h, h).unfold(3, w, w)  # (B, C, rows, columns, h, w)
    cut = cut.permute(0, 2, 3, 1, 4, 5)  # (B, rows, columns, C, h, w)
    return cut.flatten(3).flatten(1, 2)  # (B, S, C·h·w)


class ViT(nn.Module):
    r"""Patches, a class token and learned positions through the encoder to classes.

    $z_0 = [x_\text{class}; x_1 E; \ldots; x_S E] + E_\text{pos}$, and the scores are a
    linear map of the class token's last vector (Dosovitskiy et al. 2021, equations 1 to
    4). config: a `TransformerConfig` whose positions are "learned"; the table is here,
    since its length is the number of patches and one. image_size: (height, width);
    patch_size: (h, w), which divide them. Called with image (B, n_channels, height,
    width); returns logits (B, n_classes). Raises ValueError naming the argument.
    """

    def __init__(self, config, image_size, patch_size, n_classes, n_channels=1):
        super().__init__()
        check_count("n_classes", n_classes)
        if config.positions != "learned":
            raise ValueError(
                f"config.positions must be 'learned', got {config.positions!r}"
            )
        self.config = config
        self.image_shape = (n_channels, *image_size)
        self.patch_size = tuple(patch_size)
        empty = torch.empty(1, *self.image_shape)
        n_patches, width = patches(empty, self.patch_size).shape[1:]
        self.project = nn.Linear(width, config.d_model)
        self.class_token = nn.Parameter(torch.empty(1, 1, config.d_model))
        self.places = nn.Parameter(torch.empty(1, 1 + n_patches, config.d_model))
        self.dropout = Dropout(config.dropout)
        self.encoder = Encoder(config)
        self.output = nn.Linear(config.d_model, n_classes)
        init_weights(self)
        for table in (self.class_token, self.places):
            nn.init.normal_(table, std=0.02)

    def forward(self, image):
        x = self.embed(image)  # (B, 1 + S, d_model)
        return self.output(self.encoder(x)[:, 0])  # (B, n_classes)

    def embed(self, image):
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
        return self.dropout(torch.cat((first, x), dim=1) + self.places)
