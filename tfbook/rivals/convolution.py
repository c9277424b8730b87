"""A small convolutional net for spectrograms, what their Transformer must beat."""

from torch import nn


def convolutional_net(width, n_classes=10):
    """Pictures (B, 1, pitches, frames) to logits (B, n_classes).

    Four convolutions of 3 by 3 in steps of 2, of width, 2, 4 and 8 times it, each with
    batch normalisation (Ioffe & Szegedy 2015); then the mean over what is left of pitch
    and time.
    """
    layers, before = [], 1
    for channels in (width, 2 * width, 4 * width, 8 * width):
        layers += [
            nn.Conv2d(before, channels, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
        ]
        before = channels
    pool = nn.AdaptiveAvgPool2d(1)
    return nn.Sequential(*layers, pool, nn.Flatten(), nn.Linear(before, n_classes))
