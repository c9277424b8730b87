"""What does the book's ViT make of Fashion-MNIST? For readers who have its files.

    TFBOOK_SCALE=gpu python experiments/fashion.py --folder DIR [--test]

DIR holds the four files train-images-idx3-ubyte.gz and so on, of Fashion-MNIST or of
anything else in that form. Three seeds; the last tenth of the training pictures is held
out as validation, and --test scores the test pictures instead, and says so in
results/test_touches.json. Some minutes on a GPU; about an hour on a laptop at scale cpu.
"""

import argparse
from dataclasses import replace

import torch
from provenance import touch_test, write

from tfbook import TransformerConfig
from tfbook.data.digits import augment, load_idx
from tfbook.model.vit import ViT
from tfbook.training.drawn import train_drawn
from tfbook.training.presets import device, preset
from tfbook.training.progress import lines

SEEDS = (0, 1, 2)
PATCH = (4, 4)


def teach(image, truth, recipe, seed):
    """A ViT that has learned these pictures."""
    *_, height, width = image.shape
    sequence = 1 + (height // PATCH[0]) * (width // PATCH[1])

    def draw(order):
        size = (recipe.tokens // sequence,)
        chosen = torch.randint(len(image), size, generator=order)
        return augment(image[chosen], order, degrees=5.0), truth[chosen]

    config = TransformerConfig(
        **recipe.architecture(), positions="learned", activation="gelu"
    )
    torch.manual_seed(seed)
    model = ViT(config, (height, width), PATCH, int(truth.max()) + 1).to(device())
    train_drawn(model, draw, "pictures of a folder", recipe, seed, lines(print))
    return model


def share_right(model, image, truth):
    with torch.no_grad():
        said = [model(x.to(device())).argmax(-1).cpu() for x in image.split(1000)]
    return (torch.cat(said) == truth).double().mean().item()


def main(arguments=None):
    parser = argparse.ArgumentParser(description="Train the ViT on IDX files.")
    parser.add_argument("--folder", required=True, help="where the files are")
    parser.add_argument(
        "--test", action="store_true", help="score the test pictures"
    )
    parser.add_argument("--steps", type=int, help="fewer or more than the preset's")
    options = parser.parse_args(arguments)
    recipe = preset("images")
    if options.steps:
        recipe = replace(
            recipe,
            steps=options.steps,
            warmup=min(recipe.warmup, options.steps - 1),
        )
    image, truth = load_idx(options.folder, "train")
    cut = len(image) - len(image) // 10
    held_out = image[cut:], truth[cut:]
    if options.test:
        held_out = load_idx(options.folder, "t10k")
        touch_test(["ViT on pictures of a folder"])
    shares = []
    for seed in SEEDS:
        model = teach(image[:cut], truth[:cut], recipe, seed)
        shares.append(round(share_right(model, *held_out), 4))
        print(seed, shares[-1], flush=True)
    part = "test" if options.test else "validation"
    write(
        "fashion", {f"right, {part}": shares, "pictures": len(held_out[1])}, SEEDS
    )


if __name__ == "__main__":
    main()
