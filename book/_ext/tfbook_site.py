"""The site's one local Sphinx extension: what jupyter-book's configuration cannot say.

It turns the two addresses of `_config.yml` into links, numbers figures by lesson, folds solutions
without a script, ships MathJax with the site, and repairs what the pinned theme gets wrong.
`tests/test_site.py` checks each result on the built pages.
"""

import importlib.util
import re
import shutil
from collections import Counter
from pathlib import Path

from docutils import nodes
from sphinx_exercise.nodes import (
    depart_solution_node,
    solution_node,
    visit_solution_node,
)

COLAB = "https://colab.research.google.com"
SITEMAP = """<?xml version="1.0" encoding="UTF-8"?>
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">
{urls}</urlset>
"""


def use_addresses(app, config):
    """Derive each setting that needs an address; without it the theme writes no button or link."""
    theme = config.html_theme_options
    if config.repository_url:
        theme |= {
            "repository_url": config.repository_url.rstrip("/"),
            "repository_branch": config.repository_branch,
            "use_repository_button": True,
            "use_edit_page_button": True,
        }
        if (
            "github.com" in config.repository_url
        ):  # Colab opens notebooks from nowhere else
            theme["launch_buttons"] = {"colab_url": COLAB}
    if config.site_url:
        config.html_baseurl = config.ogp_site_url = (
            config.site_url.rstrip("/") + "/"
        )


def write_sitemap(app, exception):
    if app.config.site_url and not exception:
        pages = [
            app.builder.get_target_uri(name) for name in sorted(app.env.found_docs)
        ]
        urls = "".join(
            f"<url><loc>{app.config.html_baseurl}{page}</loc></url>\n"
            for page in pages
        )
        Path(app.outdir, "sitemap.xml").write_text(
            SITEMAP.format(urls=urls), encoding="utf-8"
        )


def number_by_lesson(app, env):
    """Figure 4.1.2 is the second figure of lesson 4.1, so a new lesson renumbers nothing elsewhere;
    the page that goes deeper than a lesson goes on counting where the lesson ends.

    Sphinx would count through the whole book: its section numbers are off, because a lesson's title
    carries the number itself, for readers in Jupyter too.
    """
    counted = Counter()  # of each lesson and kind
    for page, kinds in sorted(env.toc_fignumbers.items()):
        lesson = re.match(r"(\d+)\.(\d+)", env.titles[page].astext())
        prefix = tuple(map(int, lesson.groups())) if lesson else ()
        for kind, numbers in kinds.items():
            before = counted[prefix, kind] if lesson else 0
            counted[prefix, kind] += len(numbers)
            in_order = sorted(numbers, key=numbers.get)
            numbers.update(
                (name, (*prefix, count))
                for count, name in enumerate(in_order, before + 1)
            )
    return []  # no page to write again beyond those that Sphinx has found


def visit_solution(translator, node):
    """A folded solution is a <details>: it opens without a script, and a search finds it."""
    if "dropdown" not in node["classes"]:
        return visit_solution_node(translator, node)
    node["classes"].remove(
        "dropdown"
    )  # the class would make a script add a second button
    title = node.next_node(nodes.title)
    node.remove(title)
    translator.body.append(translator.starttag(node, "details", CLASS="admonition"))
    text = translator.encode(title.astext())
    translator.body.append(f'<summary class="admonition-title">{text}</summary>\n')
    node["folded"] = True


def depart_solution(translator, node):
    if node.get("folded"):
        translator.body.append("</details>\n")
    else:
        depart_solution_node(translator, node)


def ship_mathjax(app):
    """Copy the script and fonts we need: readers behind a firewall see the equations too."""
    package = Path(importlib.util.find_spec("sphinx-mathjax-offline").origin).parent
    source = package / "static/mathjax"
    target = Path(app.outdir, "_static/mathjax")
    fonts = "output/chtml/fonts/woff-v2"
    shutil.copytree(source / fonts, target / fonts, dirs_exist_ok=True)
    shutil.copy(source / "tex-chtml.js", target)


def drop_thebe(app):
    """No page starts a kernel, but jupyter-book puts Thebe's script, which names a CDN, on each."""
    for listeners in app.events.listeners.values():
        listeners[:] = [
            one for one in listeners if one.handler.__module__ != "sphinx_thebe"
        ]
    sheets = app.registry.css_files
    sheets[:] = [sheet for sheet in sheets if sheet[0] != "sphinx-thebe.css"]


# What the pinned theme gets wrong in its pages: (pattern, replacement), each with its reason.
REPAIRS = [
    # 1.5 MB for custom icons that we do not have; the icons we show come from web fonts.
    (r'<script defer src="[^"]*/fontawesome\.js[^"]*"></script>', ""),
    # A second <h1> and contents, for print only.
    (r'(?s)<div id="jb-print-docs-body" .*?(?=<div id="searchbox">)', ""),
    # The same id on every exercise and solution of a page.
    (r'<section id="((?:exercise|solution)-content)">', r'<section class="\1">'),
    # A bibliography entry outside a bibliography, says ARIA; these are items of a list.
    (r'role="doc-biblioentry"', 'role="listitem"'),
    # Names for a screen reader that contradict the visible text: the text is the better name.
    (r'<summary aria-label="Toggle hidden content">', "<summary>"),
    (
        r'(<button class="btn search-button-field[^>]*?) title="Search" aria-label="Search"',
        r"\1",
    ),
    (r'(<i class="theme-switch [^>]*?) title="[^"]*"', r"\1"),
    # The button that unfolds a part in the sidebar has no name at all.
    (
        r"(>([^<>]+)</a><details[^>]*>)<summary>",
        r'\1<summary aria-label="Lessons of \2">',
    ),
    # The sidebar is no landmark: who jumps between landmarks would miss the title and the search.
    (
        r'(<div id="pst-primary-sidebar")(?! role)',
        r'\1 role="navigation" aria-label="Book"',
    ),
]
# The theme loads the search index on every page, to search while one types; we search on one page.
SEARCH = r'<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>'
# jupyter-book's redirect has no language, and no link for a browser that does not follow it.
REDIRECT = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>
<meta http-equiv="refresh" content="0; url={page}"></head>
<body><h1><a href="{page}">{title}</a></h1></body>
</html>
"""


def repair_pages(app, exception):
    if exception or app.builder.name != "html":
        return
    site = Path(app.outdir)
    for page in site.rglob("*.html"):
        if "_static" in page.parts:
            continue
        html = page.read_text(encoding="utf-8")
        for pattern, replacement in REPAIRS:
            html = re.sub(pattern, replacement, html)
        if page.name != "search.html":
            html = re.sub(SEARCH, "", html)
        page.write_text(html, encoding="utf-8")
    home = app.builder.get_target_uri(app.config.root_doc)
    redirect = REDIRECT.format(title=app.config.html_title, page=home)
    (site / "index.html").write_text(redirect, encoding="utf-8")
    for unused in {
        *site.glob("_static/scripts/fontawesome.js*"),
        *site.rglob("*.map"),
    }:
        unused.unlink()


def setup(app):
    app.add_config_value("repository_url", "", "html")
    app.add_config_value("repository_branch", "main", "html")
    app.add_config_value("site_url", "", "html")
    if (
        app.config.site_url
    ):  # without an address a card could not say where the page is
        app.setup_extension("sphinxext.opengraph")
    visitors = (visit_solution, depart_solution)
    app.add_node(solution_node, override=True, html=visitors, singlehtml=visitors)
    drop_thebe(app)
    app.connect("config-inited", use_addresses)
    app.connect("builder-inited", ship_mathjax)
    app.connect("env-get-updated", number_by_lesson)
    app.connect("build-finished", write_sitemap)
    app.connect(
        "build-finished", repair_pages, priority=900
    )  # after those that still write pages
    return {"parallel_read_safe": True, "parallel_write_safe": True}
