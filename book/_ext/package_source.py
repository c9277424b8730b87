"""The source of `tfbook`, read for the API reference: what it defines, in which order a reader
meets it, what a name stands for, and which lessons show it.

Nothing is imported, so that no page depends on what is installed.
"""

import ast
import io
import json
import re
import tokenize
from functools import cached_property
from pathlib import Path

ORDER = """model fast variants rivals data training optim parallel compress decoding metrics inspect
tasks pretrained weights pitfalls plot""".split()
LEFT_OUT = {"__main__", "exercises"}  # explained by --help, and by the lessons
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


class Module:
    """One file of the package: its name, its docstring, what it defines and what it imports."""

    def __init__(self, path, root):
        parts = path.relative_to(root).with_suffix("").parts
        self.is_package = parts[-1] == "__init__"
        self.name = ".".join(parts[:-1] if self.is_package else parts)
        self.package = (
            self.name if self.is_package else self.name.rpartition(".")[0]
        )
        self.path, self.source = path, path.read_text(encoding="utf-8")
        self.tree = ast.parse(self.source)
        self.docstring = ast.get_docstring(self.tree) or ""

    @cached_property
    def imports(self):
        """{name: full name} of what the module imports."""
        return {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in self.tree.body
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }

    @cached_property
    def exported(self):
        """The names in `__all__`."""
        for node in self.tree.body:
            if (
                isinstance(node, ast.Assign)
                and ast.unparse(node.targets) == "__all__"
            ):
                return ast.literal_eval(node.value)
        return []

    @cached_property
    def objects(self):
        """{dotted name: syntax tree} of the public classes, functions and methods, and of the
        constants that a comment explains.
        """
        return dict(self._objects(self.tree, ""))

    def _objects(self, tree, prefix):
        for node in tree.body:
            name = getattr(node, "name", None) or constant(node) or "_"
            if name.startswith("_") or (prefix and name == "forward"):
                continue
            if constant(node) and not self.comment(node):
                continue
            yield prefix + name, node
            if isinstance(node, ast.ClassDef):
                yield from self._objects(node, f"{prefix}{name}.")

    @cached_property
    def _comments(self):
        """{line: (comment, whether it has the line for itself)}."""
        tokens = tokenize.generate_tokens(io.StringIO(self.source).readline)
        return {
            token.start[0]: (
                token.string.lstrip("# "),
                token.line.lstrip()[0] == "#",
            )
            for token in tokens
            if token.type == tokenize.COMMENT
        }

    def comment(self, node):
        """The comment on the first line of a statement, or the lines of comment above it."""
        if node.lineno in self._comments:
            return self._comments[node.lineno][0]
        lines, above = [], node.lineno - 1
        while self._comments.get(above, ("", False))[1]:
            lines.insert(0, self._comments[above][0])
            above -= 1
        return " ".join(lines)


def constant(node):
    """The name that a statement binds to a value: a constant's, or a field's of a class."""
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        return getattr(node.targets[0], "id", None)
    return (
        getattr(node.target, "id", None)
        if isinstance(node, ast.AnnAssign)
        else None
    )


class Package:
    """The modules of `root`/tfbook, what they define, and which lessons show it."""

    def __init__(self, root):
        self.root = Path(root)
        self.modules = {}
        for path in sorted(self.root.glob("tfbook/**/*.py")):
            module = Module(path, self.root)
            hidden = [part.startswith("_") for part in module.name.split(".")]
            if not any(hidden) and not LEFT_OUT & set(module.name.split(".")):
                self.modules[module.name] = module
        self.objects = {
            f"{module.name}.{name}": (module, node)
            for module in self.modules.values()
            for name, node in module.objects.items()
        }
        self.shown = list(self._shown())

    def _shown(self):
        """(full name, Markdown link) of each listing, in the order of the lessons."""
        toc = (self.root / "_toc.yml").read_text(encoding="utf-8")
        for page in re.findall(r"(?m)^\s*- file: (\S+)", toc):
            path = self.root / f"{page}.ipynb"
            if not path.is_file():
                continue
            cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
            cells = [c["source"] for c in cells if c["cell_type"] == "markdown"]
            text = "\n".join("".join(source) for source in cells)
            title = re.search(r"(?m)^# (.+)$", text)[1]
            listing = r"\{literalinclude\} \S*?(tfbook/\S+\.py)\n((?:\s*:.*\n)*)"
            for file, options in re.findall(listing, text):
                name = re.search(r":pyobject: (\S+)", options)
                yield full_name(file, name and name[1]), f"[{title}](/{page}.ipynb)"

    @property
    def rooms(self):
        """The names of the rooms, in the order of their pages."""

        def rank(name):
            top = name.split(".")[1]
            return (ORDER.index(top) if top in ORDER else len(ORDER)), name

        rooms = {module.package for module in self.modules.values()}
        rooms |= {name for name in self.modules if name.count(".") == 1}
        return sorted(rooms - {"tfbook"}, key=rank)

    def modules_in(self, room):
        """The modules of a room, from the ground up: each after those that it imports. Where the
        room's docstring names some, these come first, in its order.
        """
        own = [
            m
            for m in self.modules.values()
            if m.package == room and not m.is_package
        ]
        placed = []

        def place(module):
            homes = {full.rpartition(".")[0] for full in module.imports.values()}
            for other in own:
                if other.name in homes and other not in placed:
                    place(other)
            if module not in placed:
                placed.append(module)

        for module in own:
            place(module)
        text = self.modules[room].docstring

        def rank(module):
            named = re.search(rf"\b{module.name.rpartition('.')[2]}\b", text)
            return named.start() if named else len(text)

        return sorted(placed, key=rank)

    def find(self, name, module, within=""):
        """The full name of what `name` stands for in a module, or in a class of it; None where the
        reference has no entry for it.
        """
        first, dot, rest = name.removesuffix("()").partition(".")
        rest = dot + rest
        for full in (
            f"{module.name}.{within}.{first}{rest}",
            f"{module.name}.{first}{rest}",
            module.imports.get(first, "") + rest,
            first + rest,
        ):
            full = self.defined(full)
            if full in self.objects or full in self.modules:
                return full
        ends = [full for full in self.objects if full.endswith(f".{first}{rest}")]
        if not dot:  # a method's name alone says too little
            ends = [
                full for full in ends if full.rpartition(".")[0] in self.modules
            ]
        return ends[0] if len(ends) == 1 else None

    def defined(self, full):
        """The full name of a name where it is defined, and not where a package hands it on."""
        home, _, name = full.rpartition(".")
        module = self.modules.get(home)
        if module and name in module.imports and name not in module.objects:
            return self.defined(module.imports[name])
        return full

    def entry(self, full):
        """The full name of the entry that documents an object: its own, or that of its class."""
        while full and full not in self.objects and full not in self.modules:
            full = full.rpartition(".")[0]
        return full

    def lessons(self, full):
        """The links to the lessons that show an object, as a line of Markdown."""
        links = [link for shown, link in self.shown if self.entry(shown) == full]
        links = ", ".join(dict.fromkeys(links))
        return f":::{{container}} shown\nShown in {links}\n:::" if links else ""


def full_name(file, name):
    """The full name of an object in a file of the package, or of the file's module."""
    module = file.removesuffix(".py").replace("/", ".")
    return f"{module}.{name}" if name else module
