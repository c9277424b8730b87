"""Does it parse? A function that a model wrote, judged by Python's own grammar."""

import ast
import itertools
import re
import warnings

from tfbook.model.checks import check_count


def judged_lines(head, continuation, n_bytes=256):
    """The lines of a function's body that a model wrote and that `parses` judges.

    head: the function's beginning, up to the end of a line. continuation: the text
    after it, of which the first n_bytes bytes count, and of those the whole lines up to
    the function's end. Lines at the very end that open a block, or are blank, are
    dropped, since the cut may be why nothing follows them. Raises TypeError or
    ValueError unless n_bytes is a positive count.
    """
    check_count("n_bytes", n_bytes)
    text = continuation.encode()[:n_bytes].decode(errors="ignore")
    indent = len(head) - len(head.lstrip(" "))
    first, *lines = text.split("\n")
    body = itertools.takewhile(
        lambda line: not line.strip() or len(line) - len(line.lstrip(" ")) > indent,
        lines[:-1],
    )
    body = [first, *body]
    while len(body) > 1 and re.search(r":\s*(#.*)?$|^\s*(@.*)?$", body[-1]):
        body.pop()
    return body


def parses(head, continuation, n_bytes=256):
    """Whether Python's own grammar accepts a function: its head, and the
    `judged_lines` as its body. A function without a body is refused.
    """
    body = judged_lines(head, continuation, n_bytes)
    # a method has to stand inside something
    outside = "if True:\n" if head[:1] == " " else ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # as "\d" in a string would
            ast.parse(outside + head + "\n".join(body))
    except (SyntaxError, ValueError):  # the latter for a zero byte
        return False
    return len(body) > 1
