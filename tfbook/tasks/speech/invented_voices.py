"""Made-up speakers: random settings of eSpeak's voice, in its own format."""

import torch


def invented_voice(generator):
    """The description of a random speaker, as the text of a file that `speak` takes.

    Drawn from wide ranges: the pitch; frequency, loudness and width of the formants 0 to
    6, which are the resonances of the vocal tract and lower for long throats; breath,
    roughness, flutter, an echo; the loudness of consonants relative to vowels. The names
    of the settings are those of eSpeak's own files.
    """

    def draw(low, high):
        return low + (high - low) * float(torch.rand((), generator=generator))

    def drawn(n, low, high):
        return " ".join(str(int(draw(low, high))) for _ in range(n))

    high = draw(0, 1) < 0.5
    low_pitch = draw(130, 260) if high else draw(70, 150)
    throat = draw(1.0, 1.25) if high else draw(0.9, 1.08)
    lines = ["language variant", "name invented"]
    lines.append(f"gender {'female' if high else 'male'}")
    lines.append(f"pitch {low_pitch:.0f} {low_pitch * draw(1.2, 1.9):.0f}")
    for number in range(7):
        shift = 100 * throat * draw(0.93, 1.07)
        lines.append(
            f"formant {number} {shift:.0f} {drawn(1, 55, 115)} {drawn(1, 60, 170)}"
        )
    softer = 100 * 2 ** draw(-2.5, 0.7), 100 * 2 ** draw(-1.5, 0.7)
    lines.append("consonants {:.0f} {:.0f}".format(*softer))
    lines += [f"voicing {drawn(1, 70, 130)}", f"flutter {drawn(1, 0, 8)}"]
    lines.append(f"stressAmp {drawn(8, 14, 22)}")
    habits = (
        (0.4, f"breath {drawn(8, 0, 6)}"),
        (0.5, f"roughness {drawn(1, 0, 6)}"),
        (0.3, f"echo {drawn(1, 20, 150)} {drawn(1, 3, 20)}"),
        (0.35, f"klatt {drawn(1, 1, 6)}"),
    )
    lines += [line for share, line in habits if draw(0, 1) < share]
    return "\n".join(lines) + "\n"
