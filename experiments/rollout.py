"""Does rollout name the patches of its picture that matter, or places, or what?

    python experiments/rollout.py

The three augmented ViTs of experiments/digits.py on the first fold, with the setting that
its result names. Patches are taken away in the order of a picture's rollout, of another
picture's, and of the mean over all pictures: once their vectors, so that the sequence is
shorter, and once their ink, so that a blank patch stays. About two minutes on one core.
"""

import json

import torch
from digits import IMAGE, REMOVED, STEPS, TRUTH, train_net, vit
from provenance import RESULTS, touch_test, write

from tfbook.inspect.attention_maps import image_attention_maps, rollout
from tfbook.model.vit import patches
from tfbook.tasks.digits import folds

SEEDS = (0, 1, 2)


def orders(rolled, seed):
    """{who says it: the patches of each picture, the first to go first, (n, 16)}"""
    chance = torch.Generator().manual_seed(seed)
    worth = {
        "its own rollout": rolled,
        "another picture's rollout": rolled.roll(1, dims=0),
        "mean rollout": rolled.mean(dim=0).expand_as(rolled),
        "random": torch.rand(rolled.shape, generator=chance),
        "its own rollout, lowest first": -rolled,
    }
    return {name: w.argsort(dim=-1, descending=True) for name, w in worth.items()}


def without_vectors(model, image, gone):
    """The logits when these patches, (n, k), are no part of the sequence."""
    x = model.embed(image)  # (n, 17, d_model)
    stay = torch.ones(x.shape[:2]).scatter(1, gone + 1, 0).bool()  # (n, 17)
    x = x[stay].view(len(x), -1, x.size(-1))  # (n, 17 - k, d_model)
    return model.output(model.encoder(x)[:, 0])  # (n, 10)


def without_ink(model, image, gone):
    """The logits when these patches, (n, k), are blank."""
    cut = patches(image, (2, 2))  # (n, 16, 4)
    cut = cut.scatter(1, gone[..., None].expand(-1, -1, 4), 0)
    cut = cut.view(-1, 4, 4, 2, 2).transpose(2, 3)  # (n, 4, 2, 4, 2)
    return model(cut.reshape(-1, 1, 8, 8))  # (n, 10)


@torch.no_grad()
def main():
    known, held_out = folds(len(IMAGE))[0]
    image, truth, numbers = IMAGE[held_out], TRUTH[held_out], {}
    tuned = json.loads((RESULTS / "digits.json").read_text(encoding="utf-8"))
    setting = tuned["numbers"]["settings"]["ViT, augmented"][0]  # of the first fold
    touch_test(["ViT, augmented"])
    for seed in SEEDS:
        with torch.enable_grad():
            model = train_net(vit, setting, known, seed, STEPS)
        rolled = rollout(image_attention_maps(model, image))[:, 0, 1:]  # (n, 16)
        ink = patches(image, (2, 2)).sum(-1)  # (n, 16)
        pairs = torch.stack((rolled, ink), dim=1)  # (n, 2, 16)
        linked = torch.stack([torch.corrcoef(pair)[0, 1] for pair in pairs]).mean()
        numbers.setdefault("correlation with ink", []).append(
            round(linked.item(), 4)
        )
        for who, order in orders(rolled, seed).items():
            for name, way in (("vectors", without_vectors), ("ink", without_ink)):
                right = [
                    way(model, image, order[:, :n]).argmax(-1) == truth
                    for n in REMOVED
                ]
                shares = [round(r.double().mean().item(), 4) for r in right]
                numbers.setdefault(name, {}).setdefault(who, []).append(shares)
                print(seed, name, who, shares, flush=True)
    write("rollout", numbers, SEEDS)


if __name__ == "__main__":
    main()
