"""README and documentation say what is true: their code runs, and prints what they print.

A ``python`` block runs in the namespace of its page; the ``text`` block right after it is what it prints. A
``console`` block holds commands (``$ stochsim ...``), each with its output below. ``...`` in an output stands
for anything (a time, a path). A block under a comment ``<!-- not run: why -->`` is left alone.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import re
import shlex
from collections.abc import Iterator
from doctest import ELLIPSIS, OutputChecker
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner

from stochsim import engine, levels
from stochsim.cli import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
RECORDED = {"gallery.md", "peers.md"}  # outputs of scripts: see test_examples.py
CODE_BY_LINE = 25
FENCE = re.compile(r"^(```+|:::+)(\S*)\s*$")
METHODS = "<!-- methods:begin -->", "<!-- methods:end -->"


class Block(NamedTuple):
    """A fenced block: the line of its fence, its language, its text, and whether it follows the one before."""

    line: int
    language: str
    text: str
    adjacent: bool
    run: bool


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order; directives (```{name}) are passed over."""
    lines, opened, before = text.splitlines(), None, ""
    for number, line in enumerate(lines, start=1):
        found = FENCE.match(line)
        if opened is None and found:
            opened = number, found[1], found[2], before
        elif opened is not None and line.strip() == opened[1]:
            start, _, language, above = opened
            body = "\n".join(lines[start : number - 1]) + "\n"
            if not language.startswith("{"):
                yield Block(start, language, body, above.startswith("```"), not above.startswith("<!-- not run"))
            opened, before = None, line
            continue
        if opened is None and line.strip():
            before = line


def printed(code: str, where: str, namespace: dict[str, Any]) -> str:
    """What a block of Python prints."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, where, "exec", dont_inherit=True), namespace)
    return out.getvalue()


def commands(text: str) -> Iterator[tuple[list[str], str]]:
    """The words of each command in a console block, and the output shown below it."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield shlex.split(command), shown


def console(words: list[str]) -> str:
    """What a ``stochsim`` command writes, both streams."""
    assert words[0] == "stochsim", f"{words}: only stochsim is run; mark the block as not run"
    result = CliRunner().invoke(main, words[1:], prog_name=words[0])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return str(result.output)


def same(shown: str, got: str) -> bool:
    """Whether an output is the one shown, where ``...`` stands for anything."""
    strip = lambda text: "".join(f"{line.rstrip()}\n" for line in text.strip("\n").splitlines())  # noqa: E731
    return OutputChecker().check_output(strip(shown), strip(got), ELLIPSIS)


def fault(where: str, shown: str, got: str) -> str:
    """A page that prints something else, as a difference."""
    lines = difflib.unified_diff(shown.splitlines(), got.splitlines(), "shown", "printed", lineterm="")
    return f"{where} prints something else\n" + "\n".join(lines)


def faults(name: str, text: str) -> list[str]:
    """Blocks of a page whose output is not the one shown."""
    found, namespace = [], {"__name__": "page"}
    for block, after in pairwise([*blocks(text), Block(0, "", "", False, False)]):
        where = f"{name}:{block.line}"
        if block.run and block.language == "python":
            shown = after.text if after.language == "text" and after.adjacent else ""
            got = printed(block.text, where, namespace)
            found += [] if same(shown, got) else [fault(where, shown, got)]
        elif block.run and block.language == "console":
            for words, shown in commands(block.text):
                got = console(words)
                found += [] if same(shown, got) else [fault(f"{where} {shlex.join(words)}", shown, got)]
    return found


@pytest.fixture
def without_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every run that may choose take the array executor: the bits are the same, and no kernel is made."""
    monkeypatch.setattr(levels, "COMPILE_SECONDS", float("inf"))
    monkeypatch.setattr(engine, "SMALL_RUN", float("inf"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
@pytest.mark.usefixtures("without_compiling")
def test_the_code_of_a_page_prints_what_the_page_shows(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if page.name in RECORDED:
        pytest.skip("the outputs of scripts are checked with the scripts")
    monkeypatch.chdir(ROOT / "examples")
    assert faults(page.name, page.read_text("utf-8")) == []


def test_a_page_that_shows_something_else_is_reported() -> None:
    page = "```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n\n```python\nprint('said nowhere')\n```\n"
    assert len(faults("page", page)) == 2
    assert len(faults("page", "```console\n$ stochsim --version\nstochsim, version none\n```\n")) == 1
    assert faults("page", "```python\nprint(2, 'and some')\n```\n\n```text\n2 ...\n```\n") == []
    assert faults("page", "<!-- not run: it takes an hour -->\n```python\n1 / 0\n```\n") == []


def test_every_block_left_alone_says_why() -> None:
    for page in PAGES:
        for comment in re.findall(r"<!-- not run.*?-->", page.read_text("utf-8")):
            assert re.fullmatch(r"<!-- not run: .{8,} -->", comment), f"{page.name}: {comment}"


def test_the_readme_shows_code_early() -> None:
    first = next(b for b in blocks((ROOT / "README.md").read_text("utf-8")) if b.language == "python")
    assert first.line <= CODE_BY_LINE


def test_the_method_table_of_the_readme_declares_what_the_schemes_declare() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    table = text.split(METHODS[0])[1].split(METHODS[1])[0]
    assert declared(table) == declared(console(["stochsim", "list", "schemes", "--markdown"]))


def declared(table: str) -> list[list[str]]:
    """The rows of a method table without their measured columns."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()]
    kept = [i for i, title in enumerate(rows[0]) if title != "measured"]
    return [[row[i] for i in kept] for row in rows if not set(row[0]) <= {"-"}]


def test_links_to_files_are_not_broken() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"
