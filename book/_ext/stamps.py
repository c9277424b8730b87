"""What a lesson's outputs depend on, as one hash: its stamp.

    stamp(code)     hashes the code, the definitions of tfbook that it reaches, the files that those
                    read, the results that either names, and the pin of torch

A definition is what one name of a module is bound to: a function, a whole class, a constant. Code
reaches the definitions that it names, those reach what they name, and so on, through `import` and
through packages that hand names on. Comments, docstrings, layout and the annotations of signatures
change no output and no stamp; nor does a definition that nothing reaches. Where a name can't be
followed, the stamp errs on the side of "stale":

- a module used as anything but `module.name` (handed to a function, an unknown attribute) counts
  whole, and so does the own module of whoever calls `globals()`;
- `eval`, `exec`, `import_module` and `__subclasses__` reach the whole package;
- `getsource`, `help` and the `__doc__` of an object show the texts of all modules that are reached;
- a statement that does something when its module is imported (a call, a change of what another
  name holds, a condition) counts wherever its module is loaded, and so does a definition whose
  decorator, one of ours, can keep it in a variable.

Not followed: what computing a constant does besides; classes that act on being inherited from; and
`sys.modules`, with which `pitfalls.patching` replaces functions that it is given. A test holds the
package to the last two, and another compares what a lesson runs with what it reaches.
"""

import ast
import functools
import hashlib
import importlib.util
import re
from collections import defaultdict
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[2]
IMPORTS = ast.Import | ast.ImportFrom
FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
DOCUMENTED = ast.Module | ast.ClassDef | FUNCTIONS
OPENS_EVERYTHING = {"__import__", "import_module", "__subclasses__"}
READS_SOURCE = {"__doc__", "getdoc", "getsource", "getsourcelines", "help"}
NAMED = re.compile(r"(?:^|-m )(tfbook(?:\.\w+)*)(?=\s|$)")


def stamp(code, texts=None):
    """The hash of all that the code of a lesson depends on. texts: the modules of tfbook as
    `sources` gives them, if not as they are. Raises SyntaxError when the code isn't Python.
    """
    reached = Reach.of(code, package(_items(texts)))
    parts = [("code", code.encode()), ("torch", torch_version())]
    parts += [(f"{m}.{name}", d.encode()) for m, name, d in sorted(reached.parts)]
    files = {
        *reached.files(data_files()),
        *results(code),
        *recorded(reached.strings),
    }
    parts += [(file.name, content(file)) for file in sorted(files)]
    digest = hashlib.sha256()
    for name, data in parts:
        digest.update(f"{name} {len(data)}\n".encode() + data)
    return digest.hexdigest()


def _items(texts):
    return tuple(sorted((sources() if texts is None else texts).items()))


def sources():
    """The text of each module of tfbook, by the path of its file."""
    return {
        file.relative_to(ROOT).as_posix(): file.read_text(encoding="utf-8")
        for file in ROOT.glob("tfbook/**/*.py")
    }


def data_files():
    """The files of tfbook that its modules may read: weights, their cards, styles."""
    files = (file for file in ROOT.glob("tfbook/**/*.*") if file.is_file())
    return [file for file in files if file.suffix not in (".py", ".pyc", ".pyi")]


def results(code):
    """The results of experiments that code names; all of them if it puts a name together."""
    known = list(ROOT.glob("experiments/**/results/*.json"))
    named = re.findall(r"[\w.-]+\.json", code)
    open_ended = re.search(r"[^\w.-]\.json", code)
    return [file for file in known if open_ended or file.name in named]


def recorded(strings):
    """The results of experiments that definitions of tfbook name, as "4-code/dates.json", and the
    list of scorings of test data.
    """
    known = ROOT.glob("experiments/*/results/*.json")
    named = [f for f in known if f"{f.parents[1].name}/{f.name}" in strings]
    scorings = ROOT / "experiments" / "test_touches.json"
    return named + [scorings] * (scorings.name in strings)


def torch_version():
    requirements = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return re.search(r"(?m)^torch==\S+", requirements)[0].encode()


def content(file):
    """A file's bytes; of a text the same on every system, whatever ends its lines."""
    data = file.read_bytes()
    return data if file.suffix == ".safetensors" else data.replace(b"\r\n", b"\n")


# One statement


def kept(node):
    """The fields of a syntax tree that can change what it does: without docstrings, without the
    annotations of signatures.
    """
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(node, DOCUMENTED) and is_text(value[:1]):
            value = value[1:]
        annotation = (isinstance(node, ast.arg) and name == "annotation") or (
            name == "returns"
        )
        if value not in (None, []) and not annotation and name != "kind":
            yield name, value


def is_text(statements):
    """Whether a list of statements is one string, such as a docstring."""
    return any(
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for node in statements
    )


def canonical(node):
    """A syntax tree as a text that every version of Python writes alike."""
    if isinstance(node, list):
        return f"[{', '.join(map(canonical, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = ", ".join(f"{name}={canonical(value)}" for name, value in kept(node))
    return f"{type(node).__name__}({fields})"


class Statement:
    """What a statement of a module reads, and a hash of it.

    chains: the names that it reads, each with the attributes behind it: `a.b` is ("a", "b").
    attributes: all names of attributes. strings: all texts in it.
    """

    def __init__(self, node):
        self.node = node
        self.chains, self.attributes, self.strings = set(), set(), set()
        self._read(node)

    @functools.cached_property
    def digest(self):
        return hashlib.sha256(canonical(self.node).encode()).hexdigest()

    @functools.cached_property
    def decorators(self):
        """The chains of all decorators in it, called or not."""
        decorated = (getattr(n, "decorator_list", []) for n in ast.walk(self.node))
        called = (
            getattr(d, "func", d) for decorators in decorated for d in decorators
        )
        return {chain for chain in map(chain_of, called) if chain}

    @property
    def can_keep(self):
        """Whether it may bind something that others can add to."""
        is_definition = isinstance(self.node, FUNCTIONS | ast.ClassDef)
        value = getattr(self.node, "value", None)
        return not is_definition and not isinstance(value, ast.Constant)

    @property
    def reads_source(self):
        """Whether it may show the text of others; a plain `__doc__` is its own module's."""
        names = {chain[0] for chain in self.chains} - {"__doc__"}
        return bool((names | self.attributes) & READS_SOURCE)

    def _read(self, node):
        if chain := chain_of(node):
            self.chains.add(chain)
            self.attributes.update(chain[1:])
            return
        if isinstance(node, ast.Attribute):
            self.attributes.add(node.attr)
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            self.strings.add(node.value)
        for _, value in kept(node):
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST):
                    self._read(child)


def chain_of(node):
    """The names of `a.b.c`, or () of any other expression."""
    if isinstance(node, ast.Name):
        return (node.id,)
    inner = chain_of(node.value) if isinstance(node, ast.Attribute) else ()
    return (*inner, node.attr) if inner else ()


# One module


class Module:
    """What a module binds, imports and does when it is imported, each name apart.

    bound: for each name its statements. imported: for each name pairs (module, name in it), or
    (module, None) of a module itself. effects: the statements that count wherever the module is
    loaded. loads: the modules that it imports. stars: those whose names it takes all.
    """

    def __init__(self, name, is_package, tree):
        self.name, self.is_package, self.tree = name, is_package, tree
        self.bound, self.imported = defaultdict(list), defaultdict(set)
        self.effects, self.loads, self.stars = [], set(), set()
        self.docstring = ast.get_docstring(tree) or ""
        for node in ast.walk(self.tree):
            if isinstance(node, IMPORTS):
                self._import(node)
        for node in self.tree.body:
            if not isinstance(node, IMPORTS) and not is_text([node]):
                self._bind(node)

    def _import(self, node):
        for alias in node.names:
            if isinstance(node, ast.Import):
                self.loads.add(alias.name)
                first = alias.name.split(".")[0]
                origin = alias.name if alias.asname else first
                self.imported[alias.asname or first].add((origin, None))
                continue
            origin = source_of(node, self.name, self.is_package)
            self.loads |= {origin, f"{origin}.{alias.name}"}
            if alias.name == "*":
                self.stars.add(origin)
            else:
                self.imported[alias.asname or alias.name].add((origin, alias.name))

    def _bind(self, node):
        statement = Statement(node)
        if isinstance(node, FUNCTIONS | ast.ClassDef):
            self.bound[node.name].append(statement)
            return
        for inner in ast.walk(node):
            if isinstance(inner, FUNCTIONS | ast.ClassDef):
                self.bound[inner.name].append(statement)
            elif isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                self.bound[inner.id].append(statement)
        if not only_binds(node):
            self.effects.append(statement)


def only_binds(node):
    """Whether a statement does nothing but give names their values, or serves types alone."""
    if isinstance(node, ast.If):
        return ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    plain = ast.Name | ast.Tuple | ast.List | ast.Starred | ast.expr_context
    return isinstance(node, ast.Assign | ast.AnnAssign) and all(
        isinstance(part, plain) for target in targets for part in ast.walk(target)
    )


def source_of(node, module, is_package):
    """The absolute name of the module in a `from … import …` of another module."""
    if not node.level:
        return node.module
    inside = module if is_package else module.rpartition(".")[0]
    return importlib.util.resolve_name(
        "." * node.level + (node.module or ""), inside
    )


@functools.lru_cache(
    maxsize=1024
)  # a text is parsed once, however many lessons reach it
def module_of(path, text):
    """The module that the text of a file holds."""
    *folders, stem = PurePosixPath(path).with_suffix("").parts
    is_package = stem == "__init__"
    name = ".".join(folders if is_package else [*folders, stem])
    return Module(name, is_package, ast.parse(text))


# All modules


class Package:
    """The modules of tfbook, by their names. texts: as `sources` gives them."""

    def __init__(self, texts):
        self.modules, self.texts = {}, {}
        for path, text in texts.items():
            module = module_of(path, text)
            self.modules[module.name], self.texts[module.name] = module, text

    @functools.cached_property
    def registered(self):
        """For each module the statements with a decorator that may keep what it is given: one of
        ours that reaches a variable to keep it in.
        """
        return {name: list(self._registered(name)) for name in self.modules}

    def _registered(self, name):
        statements = {
            s for bound in self.modules[name].bound.values() for s in bound
        }
        chains = {
            chain for statement in statements for chain in statement.decorators
        }
        keeping = {chain for chain in chains if self._keeps(name, chain)}
        return (s for s in statements if s.decorators & keeping)

    def _keeps(self, module, chain):
        reach = Reach(self)
        reach.name(module, chain)
        reach.follow()
        return any(statement.can_keep for statement in reach.statements)


@functools.lru_cache(maxsize=8)
def package(texts):
    """The `Package` of the items of such a dictionary; the last few are kept."""
    return Package(dict(texts))


class Reach:
    """What is reached: it grows until nothing new is named.

    parts: triples (module, name, hash). statements: all that count. strings: all texts in them.
    folders: those of modules that ask where they lie.
    """

    def __init__(self, package):
        self.package, self.modules = package, package.modules
        self.parts, self.statements, self.strings = set(), set(), set()
        self.folders, self.loaded = set(), set()
        self.known, self.waiting = set(), []

    @classmethod
    def of(cls, code, package):
        """All that a piece of code outside of the package reaches."""
        reach, tree = cls(package), ast.parse(code)
        imports = [n for n in ast.walk(tree) if isinstance(n, IMPORTS)]
        lesson, whole = Module("", False, ast.Module(imports, [])), Statement(tree)
        reach.modules = {**package.modules, "": lesson}
        for name in lesson.loads:
            reach.load(name)
        reach.read("", whole)
        for name, origins in lesson.imported.items():
            if not any(map(reach._is_module, origins)):
                reach.name("", (name,))
        for named in {name for s in whole.strings for name in NAMED.findall(s)}:
            reach.module("tfbook.__main__" if named == "tfbook" else named)
        reach.follow()
        if any(statement.reads_source for statement in [whole, *reach.statements]):
            modules = {module for module, _, _ in reach.parts}
            reach.parts |= {(m, "text", package.texts[m]) for m in modules}
        return reach

    def files(self, known):
        """Those of the known files that are named: by a text, or else by a module that asks where
        it lies, and then all that lie there.
        """
        names = {PurePosixPath(text).name for text in self.strings if text}
        named = [file for file in known if {file.name, file.stem} & names]
        silent = self.folders - {file.relative_to(ROOT).parent for file in named}
        return named + [f for f in known if f.relative_to(ROOT).parent in silent]

    def follow(self):
        while self.waiting:
            task, *what = self.waiting.pop()
            task(self, *what)

    def _add(self, *task):
        if task not in self.known:
            self.known.add(task)
            self.waiting.append(task)

    def load(self, name):
        """Importing a module runs it, the packages around it, and all that they import."""
        parts = name.split(".")
        around = {".".join(parts[:length]) for length in range(1, len(parts) + 1)}
        for name in around & self.modules.keys() - self.loaded:
            self.loaded.add(name)
            module = self.modules[name]
            for statement in module.effects + self.package.registered[name]:
                self._count(name, "import", statement)
            for other in module.loads:
                self.load(other)

    def read(self, module, statement):
        """What a statement of a module names."""
        names = {chain[0] for chain in statement.chains}
        every = names & {"eval", "exec"} or names & OPENS_EVERYTHING
        if every or statement.attributes & OPENS_EVERYTHING:
            self.module("tfbook")
        if module and "globals" in names:
            self.module(module)
        if module and "__file__" in names:
            here = Path(*module.split("."))
            is_package = self.modules[module].is_package
            self.folders.add(here if is_package else here.parent)
        if module and "__doc__" in names:
            self.parts.add((module, "__doc__", self.modules[module].docstring))
        self.strings |= statement.strings
        for text in statement.strings - {"", "tfbook"}:
            self.module(text)
        for star in self.modules[module].stars:
            self.module(star)
        for chain in statement.chains:
            self.name(module, chain)

    def name(self, module, chain):
        """A name that is read in a module; a local or built-in one leads nowhere."""
        own = self.modules[module]
        if chain[0] in own.imported or chain[0] in own.bound:
            self._add(Reach._attribute, module, chain)

    def module(self, name, attributes=()):
        """A module that is used: `name.a.b`, or without attributes as a whole."""
        if name in self.modules and attributes:
            self._add(Reach._attribute, name, attributes)
        elif name in self.modules:
            self._add(Reach._whole, name)

    def _attribute(self, module, chain):
        own, (first, *rest) = self.modules[module], chain
        inner = f"{module}.{first}"
        for statement in own.bound.get(first, ()):
            self._count(module, first, statement)
        for origin, attribute in own.imported.get(first, ()):
            self.module(origin, (attribute, *rest) if attribute else tuple(rest))
        self.module(inner, tuple(rest))
        if not (
            first in own.bound or first in own.imported or inner in self.modules
        ):
            self.module(module)

    def _count(self, module, name, statement):
        self.parts.add((module, name, statement.digest))
        if (module, statement) not in self.known:
            self.known.add((module, statement))
            self.statements.add(statement)
            self.read(module, statement)

    def _whole(self, module):
        """All that a module defines; of a package all that it hands on, and its modules."""
        own = self.modules[module]
        self.parts.add((module, "whole", ""))
        for name, origins in own.imported.items():
            if own.is_package or not any(map(self._is_module, origins)):
                self._add(Reach._attribute, module, (name,))
        for name in own.bound:
            self._add(Reach._attribute, module, (name,))
        for name in self.modules:
            if own.is_package and name.startswith(f"{module}."):
                self.module(name)

    def _is_module(self, origin):
        """Whether what an import gives is a module."""
        return origin[1] is None or ".".join(origin) in self.modules


# Imports, whatever is used of them


def imports(tree, module="", texts=None):
    """The modules of tfbook that a syntax tree imports, each name from where it is defined: the
    packages that hand it on do not count. module: the tree's own name.
    """
    modules = package(_items(texts)).modules
    is_package = module in modules and modules[module].is_package
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = {alias.name for alias in node.names} & modules.keys()
            used = {
                "tfbook" for a in node.names if a.name in names and not a.asname
            }
            found |= names | used  # may use tfbook.anything
        elif isinstance(node, ast.ImportFrom):
            origin = source_of(node, module, is_package)
            found |= {home(modules, origin, alias.name) for alias in node.names}
    return found - {None}


def home(modules, origin, name):
    """The module that defines what `from origin import name` gives; None if it is not ours."""
    if f"{origin}.{name}" in modules:
        return f"{origin}.{name}"
    if origin not in modules:
        return None
    handed_on = (
        modules[origin].imported.get(name, ()) if modules[origin].is_package else ()
    )
    return next(
        (home(modules, *from_) for from_ in handed_on if from_[0] in modules),
        origin,
    )
