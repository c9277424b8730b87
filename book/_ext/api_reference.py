"""The API reference: a page for each room of `tfbook`, made from its docstrings during the build.

A room is a package, or a module directly under `tfbook`; a new one gets its page, and its line in
the contents, by being there. A page is a file that git ignores, empty but for a comment: the text
takes its place when Sphinx reads it. Each entry links to the lessons that show its source with
`literalinclude` and `:pyobject:`, and the caption of each such listing links back.
"""

import ast
import copy
import json
import re
import textwrap
from pathlib import Path

from docutils import nodes
from package_source import FUNCTIONS, Package, full_name
from sphinx import addnodes
from sphinx.directives.code import LiteralInclude
from sphinx.util.docutils import SphinxDirective
from sphinx_external_toc.api import Document, FileItem, TocTree

PAGES = "book/reference"
STUB = "<!-- book/_ext/api_reference.py fills this page in from docstrings -->\n"


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
        """The arguments of a class: those of its `__init__`, or its fields behind its base's."""
        for member in node.body:
            if isinstance(member, FUNCTIONS) and member.name == "__init__":
                return self.arguments(member, bound=True)
        inherited = ""
        for base in reversed(node.bases):  # the first one counts
            if full := self.package.find(ast.unparse(base), self.module):
                module, base = self.package.objects[full]
                inherited = Annotations(self.package, module).constructor(base)
        fields = [self.field(x) for x in node.body if isinstance(x, ast.AnnAssign)]
        if not fields:
            return inherited
        return f"({', '.join([*filter(None, [inherited[1:-1]]), *fields])})"

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
    if isinstance(node, FUNCTIONS | ast.ClassDef):
        text = ast.get_docstring(node) or ""
    else:
        text = module.comment(node)
    of = name if isinstance(node, ast.ClassDef) else within
    body = [markdown(text, package, module, of, parameters(node))]
    body.append(package.lessons(f"{module.name}.{name}"))
    if isinstance(node, ast.ClassDef):
        for call in node.body:
            if getattr(call, "name", "") == "forward":
                signature = f"forward{show.arguments(call, bound=True)}"
                body.append(f":::{{py:method}} {signature}\n:::")
        inner = [other for other in module.objects if other.startswith(f"{name}.")]
        inner = [
            other for other in inner if other.count(".") == name.count(".") + 1
        ]
        body += [entry(package, module, other) for other in inner]
    kind, signature, options = described(node, within, show)
    fence = ":" * (6 - name.count("."))  # longer than those within
    head = f"{fence}{{py:{kind}}} {name.rpartition('.')[2]}{signature}"
    return "\n".join([head, *options, "", "\n\n".join(filter(None, body)), fence])


def described(node, within, show):
    """What Sphinx calls an object, its signature, and its options."""
    if isinstance(node, ast.ClassDef):
        return "class", show.constructor(node), []
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
