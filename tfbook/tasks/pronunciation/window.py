"""NETtalk: a small network that classifies each letter from a window around it."""

import torch
import torch.nn.functional as F
from torch import nn

from tfbook.model.checks import check_count
from tfbook.tasks.pronunciation.alignment import align_words
from tfbook.tasks.pronunciation.counts import ALPHABET, check_letters
from tfbook.training.loop import warmup_cosine

PADDING = "_"  # where a window reaches beyond the word
SYMBOLS = {symbol: i for i, symbol in enumerate(PADDING + ALPHABET)}
BATCH = 512  # letters


class LetterWindow:
    """Predicts the phones of each letter with one hidden layer that sees the letter and
    `reach` others on either side: NETtalk (Sejnowski and Rosenberg 1987).

    The label of a letter, no phone, one or two, comes from an alignment; of two letters
    that share a sound the first has it. Each letter is predicted independently.

    words: {word: variants}. hidden: units of the hidden layer. epochs: passes over
    all letters. seed: for the initial weights and the order of the letters.
    alignments: what `align` returns for all pairs of word and variant; by default it is
    called here. Raises ValueError when one of the numbers is below 1, no alignment is
    left, or a word has letters other than a to z.
    """

    def __init__(
        self, words, reach=3, hidden=512, epochs=5, seed=0, alignments=None
    ):
        for name, value in (
            ("reach", reach),
            ("hidden", hidden),
            ("epochs", epochs),
        ):
            check_count(name, value)
        alignments = align_words(words, alignments)
        if not alignments:
            raise ValueError("words must have an alignment, got none that has")
        self.reach = reach
        targets = [
            phones
            for alignment in alignments
            for phones in letter_by_letter(alignment)
        ]
        self.sounds = sorted(set(targets))
        number = {phones: i for i, phones in enumerate(self.sounds)}
        windows = torch.cat(
            [
                self.windows("".join(x for x, _ in alignment))
                for alignment in alignments
            ]
        )  # (N, W), N letters in all
        labels = torch.tensor([number[phones] for phones in targets])  # (N,)
        torch.manual_seed(seed)
        width = 2 * reach + 1
        # a one-hot vector times a matrix picks a row: one table for each offset
        self.model = nn.Sequential(
            nn.EmbeddingBag(width * len(SYMBOLS), hidden, mode="sum"),
            nn.ReLU(),
            nn.Linear(hidden, len(self.sounds)),
        )
        self.losses = self._train(windows, labels, epochs)

    def windows(self, word):
        """The input for each letter: row numbers of the first table, (letters, W)."""
        edge = PADDING * self.reach
        ids = torch.tensor([SYMBOLS[letter] for letter in edge + word + edge])
        width = 2 * self.reach + 1
        return ids.unfold(0, width, 1) + len(SYMBOLS) * torch.arange(width)

    def _train(self, windows, labels, epochs):
        """Adam on the cross-entropy, with a cosine schedule; returns each step's loss."""
        optimizer, losses = torch.optim.Adam(self.model.parameters()), []
        steps = epochs * -(-len(labels) // BATCH)
        for _ in range(epochs):
            for batch in torch.randperm(len(labels)).split(BATCH):
                for group in optimizer.param_groups:
                    group["lr"] = 2e-3 * warmup_cosine(len(losses), 0, steps)
                optimizer.zero_grad()
                loss = F.cross_entropy(self.model(windows[batch]), labels[batch])
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
        return losses

    def pronounce(self, word):
        """A word of the letters a to z to a list of phones. Raises ValueError for
        any other letter.
        """
        check_letters(word)
        if not word:
            return []
        with torch.no_grad():
            best = self.model(self.windows(word)).argmax(-1)  # (letters,)
        return [phone for i in best.tolist() for phone in self.sounds[i]]


def letter_by_letter(alignment):
    """The phones of each letter: those of its unit at the unit's first letter, and
    none at its second.
    """
    return [
        phones if i == 0 else ()
        for letters, phones in alignment
        for i in range(len(letters))
    ]
