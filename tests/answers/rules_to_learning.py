"""Lesson: from rules to learning."""

from collections import Counter, defaultdict

from tfbook.exercises import rules_to_learning as exercises
from tfbook.tasks.pronunciation.window import letter_by_letter

CHEESE = "K HH EH EH S EH".split()


def table(alignments, *, silence=True, pairs=False, reverse=False):
    """The most frequent phones of each letter, with the usual slips as options."""
    counts = defaultdict(Counter)
    for cut in filter(None, alignments):
        word = "".join(letters for letters, _ in cut)
        units = cut if pairs else zip(word, letter_by_letter(cut), strict=True)
        for letter, phones in units:
            if silence or phones:
                counts[letter][phones] += 1
    return {
        letter: found.most_common()[-1 if reverse else 0][0]
        for letter, found in counts.items()
    }


def slip(**options):
    return lambda alignments: table(alignments, **options)


RIGHT = {
    exercises.check_cheese: [CHEESE, tuple(CHEESE)],
    exercises.check_sound_of_each_letter: [table, lambda a: dict(table(a))],
    exercises.check_narrow_window: [0.66, 0.695, 0.72],
}
WRONG = [
    (exercises.check_cheese, "CH IY Z".split(), "one sound for each letter"),
    (exercises.check_cheese, "CH HH IY IY Z EH".split(), "neighbours don't count"),
    (exercises.check_cheese, "K HH EH EH S EH", "a list of strings"),
    (exercises.check_sound_of_each_letter, slip(silence=False), "empty tuple"),
    (exercises.check_sound_of_each_letter, slip(pairs=True), "keys should be"),
    (exercises.check_sound_of_each_letter, slip(reverse=True), "most often"),
    (
        exercises.check_sound_of_each_letter,
        lambda alignments: list(table(alignments)),
        "return a dictionary",
    ),
    (
        exercises.check_sound_of_each_letter,
        lambda alignments: {letter for cut in alignments for letter, _ in cut},
        "your answer raised TypeError",
    ),
    (exercises.check_narrow_window, 0.5, "was reach=1 given"),
    (exercises.check_narrow_window, 0.63, "was reach=1 given"),
    (exercises.check_narrow_window, 0.76, "are the epochs and the words"),
    (exercises.check_narrow_window, 0.97, "are the epochs and the words"),
    (exercises.check_narrow_window, 71, "a share from 0 to 1"),
    (exercises.check_narrow_window, float("nan"), "a finite number"),
]
