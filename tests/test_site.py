"""The built site: no warning, whole pages, and nothing on them that is loaded from elsewhere."""

import importlib
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "book" / "_ext"))
REPOSITORY, SITE = (
    "https://github.com/someone/some-book",
    "https://someone.example/some-book/",
)
LOADING = {"script", "img", "iframe", "source", "video", "audio", "embed"}
LOADING_LINKS = {"stylesheet", "preload", "modulepreload", "icon"}


def build(source, output):
    """Build the site as `make book` does, and return its folder."""
    program = Path(sys.executable).with_name("jupyter-book")
    command = [
        program,
        "build",
        source,
        "--path-output",
        output,
        "-n",
        "-W",
        "--keep-going",
    ]
    run = subprocess.run(command, capture_output=True, text=True)
    log = run.stdout + run.stderr
    assert run.returncode == 0 and "WARNING" not in log, log[-4000:]
    return output / "_build/html"


class Page(HTMLParser):
    """What the checks need of one page: its elements, and the text of titles and inline scripts."""

    def __init__(self, path, site):
        super().__init__()
        self.path, self.name = path, path.relative_to(site).as_posix()
        self.html = path.read_text(encoding="utf-8")
        self.elements, self.texts, self._open = [], {"h1": [], "script": []}, None
        self.feed(self.html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag in self.texts:
            self._open = tag
            self.texts[tag].append("")

    def handle_endtag(self, tag):
        if tag == self._open:
            self._open = None

    def handle_data(self, data):
        if self._open:
            self.texts[self._open][-1] += data

    def all(self, tag, **wanted):
        return [
            a for t, a in self.elements if t == tag and wanted.items() <= a.items()
        ]

    @property
    def ids(self):
        return [a["id"] for _, a in self.elements if a.get("id")]

    @property
    def loads(self):
        """Addresses that a browser fetches by itself."""
        for tag, a in self.elements:
            if tag in LOADING and a.get("src"):
                yield a["src"]
            if tag == "link" and LOADING_LINKS & set(a.get("rel", "").split()):
                yield a["href"]


def pages_of(site):
    paths = [
        path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts
    ]
    return {path: Page(path, site) for path in paths}


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    return build(ROOT, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="session")
def pages(site):
    return pages_of(site)


@pytest.fixture(scope="session")
def lessons(pages):
    return [
        page
        for page in pages.values()
        if re.match(r"book/\d-[a-z-]+/\d+-", page.name)
    ]


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """A second build, as it will be once the repository and the site have addresses."""
    source = tmp_path_factory.mktemp("source")
    unwanted = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for name in ("book", "tfbook", "experiments"):
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, source / name, ignore=unwanted)
    shutil.copy(ROOT / "_toc.yml", source)
    text = (ROOT / "_config.yml").read_text(encoding="utf-8")
    for name, address in {"repository_url": REPOSITORY, "site_url": SITE}.items():
        assert text.count(f'{name}: ""') == 1, (
            f"_config.yml must hold one empty {name}"
        )
        text = text.replace(f'{name}: ""', f'{name}: "{address}"')
    (source / "_config.yml").write_text(text, encoding="utf-8")
    return build(source, tmp_path_factory.mktemp("published"))


def test_the_lessons_are_on_the_site(pages, lessons):
    notebooks = {
        path.relative_to(ROOT).with_suffix(".html")
        for path in ROOT.glob("book/*/*.ipynb")
    }
    assert {Path(page.name) for page in lessons} == notebooks != set()
    texts = {
        path.relative_to(ROOT).with_suffix(".html")
        for path in ROOT.glob("book/**/*.md")
    }
    assert texts <= {Path(page.name) for page in pages.values()}


def test_every_link_leads_somewhere(site, pages):
    broken = []
    for path, page in pages.items():
        for href in [
            a["href"]
            for tag in ("a", "link")
            for a in page.all(tag)
            if a.get("href")
        ]:
            address = urlsplit(href)
            if address.scheme in {"http", "https", "mailto"}:
                continue
            target = (
                (path.parent / unquote(address.path)).resolve()
                if address.path
                else path
            )
            anchor = unquote(address.fragment)
            missing = not target.is_file() or site not in target.parents
            if missing or (
                anchor and target in pages and anchor not in pages[target].ids
            ):
                broken.append((page.name, href))
    assert not broken


def on_disk(page, address):
    """Whether what the page loads is a file beside it (or stands in the page itself)."""
    parts = urlsplit(address)
    if (
        parts.scheme
    ):  # a sound or a picture inside the page, or an address elsewhere
        return parts.scheme == "data"
    return not parts.netloc and (page.parent / unquote(parts.path)).is_file()


def test_nothing_is_loaded_from_elsewhere(site, pages):
    wrong = []
    for path, page in pages.items():
        wrong += [
            (page.name, address)
            for address in page.loads
            if not on_disk(path, address)
        ]
        wrong += [
            (page.name, script[:80])
            for script in page.texts["script"]
            if "://" in script
        ]
    for sheet in site.rglob("*.css"):
        css = re.sub(r"(?s)/\*.*?\*/", "", sheet.read_text(encoding="utf-8"))
        addresses = re.findall(
            r"""(?:url\(\s*|@import\s+)(["']?)(.+?)\1\s*[);]""", css
        )
        wrong += [
            (sheet.name, address)
            for _, address in addresses
            if not on_disk(sheet, address)
        ]
    assert not wrong


def test_the_index_shows_the_league(site):
    file = ROOT / "experiments" / "4-code" / "results" / "league.json"
    numbers = json.loads(file.read_text(encoding="utf-8"))["numbers"]
    index = (site / "book/index.html").read_text(encoding="utf-8")
    rows = re.findall(
        r"<tr .*?</tr>", index[index.index('id="tab-league"') :], re.DOTALL
    )
    shown = {re.sub("<.*?>", " ", row) for row in rows}
    for name, found in numbers.items():
        scores = found.get("test", found["validation"])
        wanted = (name, f"{scores['PER']:.1%}", f"{scores['WER']:.1%}")
        assert any(all(text in row for text in wanted) for row in shown), wanted


def scored(wer, part):
    return {"is": "a system", part: {"words": 100, "PER": wer / 4, "WER": wer}}


def test_the_league_is_on_test_words_once_all_are():
    table = importlib.import_module("league").table
    good, bad = scored(0.2, "test"), scored(0.5, "test")
    lines = table({"good": good, "bad": bad}).splitlines()
    assert "100 test words" in lines[0] and "7.8 points" in lines[0]
    assert [line.split()[1] for line in lines[-3:-1]] == ["bad", "good"]
    late = table(
        {"good": good | scored(0.3, "validation"), "bad": scored(0.4, "validation")}
    )
    assert "validation words" in late and "30.0%" in late and "20.0%" not in late


def test_equations_come_with_their_script_and_fonts(site, lessons):
    for page in lessons:
        if 'class="math' in page.html:
            assert any(
                "mathjax/tex-chtml.js" in address for address in page.loads
            ), page.name
    assert (
        len(list(site.glob("_static/mathjax/output/chtml/fonts/woff-v2/*.woff")))
        > 20
    )


def test_every_image_has_words_for_those_who_do_not_see_it(pages):
    for page in pages.values():
        for image in page.all("img"):
            alt = image.get("alt") or ""
            assert " " in alt.strip() and not re.search(
                r"\.(svg|png|jpe?g)\b", alt
            ), (
                page.name,
                image,
            )


def test_every_page_has_one_title_a_language_and_one_search_bar(pages):
    for page in pages.values():
        assert page.all("html")[0].get("lang") == "en", page.name
        assert len(page.texts["h1"]) == 1 and page.texts["h1"][0].strip(), page.name
        if page.name != "index.html":  # only leads to book/index.html
            bars = [
                a
                for a in page.all("button")
                if "search-button-field" in a.get("class", "")
            ]
            assert len(bars) == 1, page.name
            assert [a for a in page.all("a") if a.get("href") == "#main-content"], (
                page.name
            )


def test_no_id_occurs_twice_on_a_page(pages):
    for page in pages.values():
        twice = [name for name, count in Counter(page.ids).items() if count > 1]
        assert not twice, (page.name, twice)


def test_figures_and_equations_carry_the_number_of_their_lesson(lessons):
    for page in lessons:
        lesson = re.match(r"(\d+\.\d+) \S", page.texts["h1"][0])
        assert lesson, f"{page.name}: the title must begin with the lesson's number"
        numbers = re.findall(
            r'class="(?:caption-number">\w+ |eqno">\()([\d.]+)', page.html
        )
        assert all(number.startswith(lesson[1] + ".") for number in numbers), (
            page.name,
            numbers,
        )


def test_solutions_fold_without_a_script(lessons):
    for page in lessons:
        solutions = [
            tag
            for tag, a in page.elements
            if "solution" in a.get("class", "").split()
        ]
        assert set(solutions) <= {"details"}, page.name


def test_the_pages_are_light(site, pages):
    for page in pages.values():
        assert not re.search(r"fontawesome\.js|thebe", page.html, re.IGNORECASE), (
            page.name
        )
        assert "searchindex.js" not in page.html or page.name == "search.html"
    assert not [*site.rglob("*.map"), *site.rglob("fontawesome.js")]


def test_no_page_names_the_machine_it_was_built_on(pages):
    here = re.compile(rf"(?<![\w./]){re.escape(str(ROOT))}/")
    assert not [page.name for page in pages.values() if here.search(page.html)]


def test_without_addresses_nothing_that_needs_one_appears(site, pages):
    assert not (site / "sitemap.xml").exists()
    for page in pages.values():
        assert not page.all("link", rel="canonical"), page.name
        found = re.search(
            r'property="og:|name="twitter:|colab\.|/edit/|github\.com', page.html
        )
        assert not found, (page.name, found)


def test_with_addresses_all_that_needs_one_appears(published):
    pages = pages_of(published)
    sitemap = (published / "sitemap.xml").read_text(encoding="utf-8")
    for page in pages.values():
        source = page.name.removesuffix(".html")
        if not source.startswith("book/"):
            continue
        address = SITE + page.name
        notebook = (ROOT / f"{source}.ipynb").exists()
        # a room's page is made from docstrings: git has no file of it to edit
        made = re.match(r"book/reference/(?!index$)", source)
        links = {a.get("href") for a in page.all("a")}
        assert [a["href"] for a in page.all("link", rel="canonical")] == [address]
        assert f"<loc>{address}</loc>" in sitemap
        assert page.all("meta", property="og:url", content=address)
        assert page.all(
            "meta", property="og:site_name", content="The Executable Transformer"
        )
        assert page.all("meta", property="og:title") and page.all(
            "meta", property="og:image"
        )
        edit = f"{REPOSITORY}/edit/main/{source}.{'ipynb' if notebook else 'md'}"
        assert (edit in links) == (not made)
        colab = REPOSITORY.replace(
            "https://github.com", "https://colab.research.google.com/github"
        )
        assert (f"{colab}/blob/main/{source}.ipynb" in links) == notebook
