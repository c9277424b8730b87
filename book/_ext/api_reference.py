"""The API reference: a page for each room of `tfbook`, made from its docstrings during the build.

The source is read and not imported, so that no page depends on what is installed. A room is a
package, or a module directly under `tfbook`; a new one gets its page, and its line in the contents,
by being there. A page is a file that git ignores, empty but for a comment: the text takes its place
when Sphinx reads it. Each entry links to the lessons that show its source with `literalinclude` and
`:pyobject:`, and the caption of each such listing links back.
"""

import ast
import copy
import io
import json
import re
import textwrap
import tokenize
from functools import cached_property
from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.directives.code import LiteralInclude
from sphinx.util.docutils import SphinxDirective
from sphinx_external_toc.api import Document, FileItem, TocTree

PAGES = "book/reference"
ORDER = """model fast variants rivals data training optim parallel compress decoding metrics inspect
tasks pretrained weights pitfalls plot""".split()
LEFT_OUT = {"__main__", "exercises"}  # explained by --help, and by the lessons
STUB = "<!-- book/_ext/api_reference.py fills this page in from docstrings -->\n"
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef


# The package, read


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


# From docstrings to Markdown

MARKUP = re.compile(r"(`[^`]+`|\$\$.+?\$\$|\$[^$]+\$)", re.DOTALL)
SHAPE = r"\((?:[A-Z1]|[A-Z]·\w+),[^()]*\)"
ERROR = r"\b[A-Z]\w+Error\b"
LABEL = re.compile(r"(?<=[.!?:])\n(?=[A-Z][a-z]+(?: [a-z]+)?: )")
RESULT = re.compile(r"(?<=[.)])\s(?=(?:Returns|Raises)\s)")


def markdown(text, package, module, within="", parameters=()):
    """A docstring as Markdown: shapes and parameters in code, names of the package linked."""
    blocks = []
    for block in re.split(r"\n\s*\n", text):
        if all(line.startswith("    ") for line in block.splitlines()):
            blocks.append(f"```python\n{textwrap.dedent(block)}\n```")
            continue
        block = RESULT.sub("\n\n", LABEL.sub("\n\n", block))
        for paragraph in block.split("\n\n"):
            paragraph = " ".join(paragraph.split())
            pieces = MARKUP.split(paragraph)
            pieces[::2] = [plain(piece, parameters) for piece in pieces[::2]]
            pieces[1::2] = [
                linked(piece, package, module, within, parameters)
                for piece in pieces[1::2]
            ]
            blocks.append("".join(pieces))
    return "\n\n".join(blocks)


def plain(text, parameters):
    """Text without markup as Markdown. Shapes, errors and the parameters that it explains are set
    in code, and each parameter that begins a sentence starts a line.
    """
    names = "|".join(map(re.escape, parameters)) or "(?!)"
    explained = rf"\b(?:{names})\b(?:=\w+|(?=(?:(?:,| and| or) \w+)*:))"
    pieces = re.split(f"({SHAPE}|{ERROR}|{explained})", text)
    for i in range(1, len(pieces), 2):
        parameter = pieces[i] in parameters
        starts_line = parameter and pieces[i - 1].endswith((". ", "; "))
        code = f"**`{pieces[i]}`**" if parameter else f"`{pieces[i]}`"
        pieces[i] = "\\\n" + code if starts_line else code
    pieces[::2] = [escaped(piece) for piece in pieces[::2]]
    return "".join(pieces)


def escaped(text):
    return re.sub(r"([\\*_<>{}\[\]#|~])", r"\\\1", text)


def linked(piece, package, module, within, parameters):
    """A piece of code or mathematics, as Markdown."""
    if piece[0] == "$":
        return f"\n\n{piece}\n\n" if piece.startswith("$$") else piece
    name = piece.strip("`")
    full = None if name in parameters else package.find(name, module, within)
    return f"{{py:obj}}`{name} <{full}>`" if full else piece


def sentence(text):
    """The first sentence of a docstring."""
    return re.split(r"(?<=[.:])\s+(?=[A-Z]|\w+:)|\n\n", text)[0]


# Signatures


class Annotations(ast.NodeTransformer):
    """What stands in a signature: `Float[Tensor, "B T"]` becomes `Float["B T"]`, and a name of the
    package its full name, which Sphinx links and shortens again.
    """

    def __init__(self, package, module):
        self.package, self.module = package, module

    def visit_Subscript(self, node):
        match node.slice:
            case ast.Tuple(elts=[tensor, ast.Constant() as shape]):
                if ast.unparse(tensor).endswith("Tensor"):
                    return ast.Subscript(node.value, shape)
        return self.generic_visit(node)

    def visit_Name(self, node):
        return ast.Name(self.package.find(node.id, self.module) or node.id)

    def text(self, node):
        return ast.unparse(self.visit(copy.deepcopy(node)))

    def arguments(self, function, bound=False):
        """The arguments and the result of a function, without self where it is bound."""
        arguments = copy.deepcopy(function.args)
        if bound:
            (arguments.posonlyargs or arguments.args).pop(0)
        for argument in named(arguments):
            if argument.annotation:
                argument.annotation = self.visit(argument.annotation)
        result = f" -> {self.text(function.returns)}" if function.returns else ""
        return f"({ast.unparse(arguments)}){result}"

    def constructor(self, node):
        """The arguments of a class: those of its `__init__` or its fields, or of its base's."""
        for member in node.body:
            if isinstance(member, FUNCTIONS) and member.name == "__init__":
                return self.arguments(member, bound=True)
        if fields := [x for x in node.body if isinstance(x, ast.AnnAssign)]:
            return f"({', '.join(self.field(x) for x in fields)})"
        for base in node.bases:
            if full := self.package.find(ast.unparse(base), self.module):
                module, base = self.package.objects[full]
                return Annotations(self.package, module).constructor(base)
        return ""

    def field(self, node):
        value = f" = {ast.unparse(node.value)}" if node.value else ""
        return f"{node.target.id}: {self.text(node.annotation)}{value}"


def named(arguments):
    """Each argument of a function, whatever its kind."""
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return [*every, *filter(None, (arguments.vararg, arguments.kwarg))]


def parameters(node):
    """The names that a docstring explains: a function's arguments, a class's and its fields."""
    if isinstance(node, FUNCTIONS):
        return [x.arg for x in named(node.args) if x.arg not in ("self", "cls")]
    if not isinstance(node, ast.ClassDef):
        return []
    fields = [x.target.id for x in node.body if isinstance(x, ast.AnnAssign)]
    calls = [
        x for x in node.body if getattr(x, "name", "") in ("__init__", "forward")
    ]
    return fields + [name for call in calls for name in parameters(call)]


# Pages


def page(package, room):
    """The page of a room, as Markdown."""
    module = package.modules[room]
    parts = [f"# {escaped(room)}", f"```{{py:module}} {room}\n```"]
    parts.append(markdown(module.docstring, package, module))
    if module.exported and module.is_package:
        names = [link(package, f"{room}.{name}") for name in module.exported]
        parts.append(f"Imported from `{room}` itself: {', '.join(names)}.")
    parts += entries(package, module)
    for inner in package.modules_in(room):
        if inner is not module:
            short = inner.name.rpartition(".")[2]
            parts += [f"## {escaped(short)}", f"```{{py:module}} {inner.name}\n```"]
            parts.append(markdown(inner.docstring, package, inner))
            parts += [package.lessons(inner.name), *entries(package, inner)]
    return "\n\n".join(parts) + "\n"


def link(package, full):
    """A link to an entry, or its name alone where there is none."""
    full, name = package.defined(full), full.rpartition(".")[2]
    return (
        f"{{py:obj}}`{name} <{full}>`" if full in package.objects else f"`{name}`"
    )


def entries(package, module):
    return [
        entry(package, module, name) for name in module.objects if "." not in name
    ]


def entry(package, module, name):
    """One entry, and those of a class's members within it, as a directive of Sphinx's Python
    domain in Markdown.
    """
    node, within = module.objects[name], name.rpartition(".")[0]
    show = Annotations(package, module)
    body = [package.lessons(f"{module.name}.{name}")]
    if isinstance(node, FUNCTIONS | ast.ClassDef):
        of = name if isinstance(node, ast.ClassDef) else within
        text = ast.get_docstring(node) or ""
        body.insert(0, markdown(text, package, module, of, parameters(node)))
    else:
        body.insert(0, markdown(module.comment(node), package, module, within))
    if isinstance(node, ast.ClassDef):
        for call in node.body:
            if getattr(call, "name", "") == "forward":
                signature = f"forward{show.arguments(call, bound=True)}"
                body.append(f"::::{{py:method}} {signature}\n::::")
        inner = [other for other in module.objects if other.startswith(f"{name}.")]
        body += [entry(package, module, other) for other in inner]
    kind, signature, options = described(node, within, show)
    fence = ":" * (4 if within else 5)
    head = f"{fence}{{py:{kind}}} {name.rpartition('.')[2]}{signature}"
    return "\n".join([head, *options, "", "\n\n".join(filter(None, body)), fence])


def described(node, within, show):
    """What Sphinx calls an object, its signature, and its options."""
    if isinstance(node, ast.ClassDef):
        bases = {ast.unparse(base) for base in node.bases}
        kind = "exception" if bases & {"Exception", "ValueError"} else "class"
        return kind, show.constructor(node), []
    if not isinstance(node, FUNCTIONS):
        value = ast.unparse(node.value) if node.value else ""
        options = [f":value: {json.dumps(value)}"] if 0 < len(value) <= 40 else []
        return "attribute" if within else "data", "", options
    decorators = {ast.unparse(x).rpartition(".")[2] for x in node.decorator_list}
    if decorators & {"property", "cached_property"}:
        result = node.returns and show.text(node.returns)
        return "property", "", [f":type: {result}"] if result else []
    signature = show.arguments(node, within and "staticmethod" not in decorators)
    options = [f":{x}:" for x in ("classmethod", "staticmethod") if x in decorators]
    return "method" if within else "function", signature, options


def names(package):
    """What `tfbook` itself hands on, and the rooms: for the first page of the reference."""
    top = package.modules["tfbook"]
    order = [m.name for room in package.rooms for m in package.modules_in(room)]
    handed = [package.defined(f"tfbook.{name}") for name in top.exported]
    lines = []
    for full in sorted(
        handed, key=lambda full: order.index(full.rpartition(".")[0])
    ):
        module, node = package.objects[full]
        lines.append(line(package, module, full, ast.get_docstring(node)))
    rooms = [package.modules[room] for room in package.rooms]
    rooms = [line(package, room, room.name, room.docstring) for room in rooms]
    return "\n".join([*lines, "", "## Rooms", "", *rooms])


def line(package, module, full, docstring):
    name = full if full == module.name else full.rpartition(".")[2]
    text = markdown(sentence(docstring), package, module)
    return f"- {{py:obj}}`{name} <{full}>`: {text}"


class Names(SphinxDirective):
    """`{names}`: the names that `tfbook` hands on, and its rooms, with a sentence each."""

    def run(self):
        return self.parse_text_to_nodes(
            names(self.config.api), allow_section_headings=True
        )


class Listing(LiteralInclude):
    """`literalinclude`, with a caption that leads to the entry of what it shows."""

    def run(self):
        result = super().run()
        file, name = self.arguments[0], self.options.get("pyobject")
        _, found, file = file.rpartition("tfbook/")
        full = self.config.api.entry(full_name(found + file, name)) if found else ""
        for caption in (x for node in result for x in node.findall(nodes.caption)):
            if full:
                xref = addnodes.pending_xref(
                    "",
                    refdomain="py",
                    reftype="obj",
                    reftarget=full,
                    refdoc=self.env.docname,
                )
                xref += caption.children
                caption.children = []
                caption += xref
        return result


def add_pages(app, config):
    """Read the package, make an empty page for each room, and put it into the contents."""
    config.api = package = Package(app.srcdir)
    folder, index = Path(app.srcdir, PAGES), f"{PAGES}/index"
    pages = {docname(room): room for room in package.rooms}
    for path in folder.glob("*.md"):
        if path.stem != "index" and f"{PAGES}/{path.stem}" not in pages:
            path.unlink()
    for name in pages:
        path = Path(app.srcdir, f"{name}.md")
        if not path.exists():
            path.write_text(STUB, encoding="utf-8")
    contents = config.external_site_map
    contents[index] = Document(index, [TocTree([FileItem(name) for name in pages])])
    for name, room in pages.items():
        contents[name] = Document(name, title=room.removeprefix("tfbook."))


def docname(room):
    return f"{PAGES}/{room.removeprefix('tfbook.')}"


def fill(app, name, source):
    """Put a room's page in place of its empty file."""
    package = app.config.api
    for room in package.rooms:
        if docname(room) == name:
            source[0] = page(package, room)
            for module in package.modules.values():
                app.env.note_dependency(str(module.path))


def hide_source(app, name, template, context, doctree):
    """No button to edit or download the empty file."""
    if name in map(docname, app.config.api.rooms):
        context["page_source_suffix"] = context["sourcename"] = ""


def setup(app):
    app.add_directive("names", Names)
    app.add_directive("literalinclude", Listing, override=True)
    app.connect("config-inited", add_pages, priority=900)  # after _toc.yml is read
    app.connect("source-read", fill)
    app.connect("html-page-context", hide_source)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
