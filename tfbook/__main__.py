"""The command line: pronounce words, train a model, evaluate one."""

import argparse
import contextlib
import io
import os
import sys
from pathlib import Path

from tfbook.tasks.pronunciation import command as pronunciation
from tfbook.tasks.speech import command as speech
from tfbook.training.progress import Bar, lines


class Console:
    """What a command writes to: answers go to standard output, complaints to standard
    error, each at once and in one line.

    status: the exit status so far, 2 after a complaint. interrupted: what Ctrl-C prints.
    """

    def __init__(self):
        self.status, self.interrupted = 0, "stopped"

    def answer(self, line):
        """Print a line of the result. Raises OSError as writing does."""
        write(sys.stdout, f"{printable(line)}\n")

    def complain(self, error):
        """Report what was wrong with some of the input, and go on."""
        self.status = 2
        self._tell(f"tfbook: {printable(str(error))}\n")

    def interrupt(self):
        """Say after Ctrl-C, on a line of its own, that the command has stopped."""
        self._tell(f"\ntfbook: {self.interrupted}\n")

    def _tell(self, text):
        with contextlib.suppress(OSError):  # nobody reads standard error
            write(sys.stderr, text)

    def progress(self):
        """The report of a training: a bar in a terminal, else lines."""
        return Bar(sys.stderr) if sys.stderr.isatty() else lines(self.answer)


def write(stream, text):
    """Write at once. A stream that fails leads nowhere from then on, since Python
    flushes it again at its end. Raises OSError as writing does.
    """
    try:
        stream.write(text)
        stream.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        raise


def printable(text):
    """Text of one line that moves no cursor, whatever a file is called."""
    return "".join(
        c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in text
    )


def command_line():
    """The parser of all commands; each task adds its own."""
    installed = Path(sys.argv[0]).stem == "tfbook"
    parser = argparse.ArgumentParser(
        prog="tfbook" if installed else "python -m tfbook", description=__doc__
    )
    commands = parser.add_subparsers(dest="command", required=True)
    pronunciation.add_commands(commands)
    evaluate = commands.add_parser("evaluate", help="the error rates of a model")
    tasks = evaluate.add_subparsers(dest="task", required=True)
    pronunciation.add_evaluation(tasks)
    speech.add_evaluation(tasks)
    return parser


def main(arguments=None):
    """Run one command; returns the exit status.

    0; or 2 after a line on standard error for everything that was wrong; 130 after
    Ctrl-C; or 141 when nobody reads the output any more, as after `| head -1`.
    """
    console = Console()
    if sys.stderr is None:  # closed; print and argparse would take standard output
        nowhere = os.open(os.devnull, os.O_WRONLY)
        sys.stderr = os.fdopen(nowhere, "w", errors="backslashreplace")
    if sys.stdout is None:
        console.complain("standard output must be open, got it closed")
        return 2
    if isinstance(sys.stdout, io.TextIOWrapper):  # not so in a notebook
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        try:
            options = command_line().parse_args(arguments)
            options.run(options, console)
        finally:
            write(sys.stdout, "")  # what argparse printed
        return console.status
    except KeyboardInterrupt:
        console.interrupt()
        return 130
    except BrokenPipeError:
        return 141
    except (ValueError, OSError, ImportError) as error:
        console.complain(error)
        return 2


if __name__ == "__main__":
    sys.exit(main())
