"""Every example runs, is short, and prints what the documentation shows for it."""

from __future__ import annotations

import io
import os
import re
import runpy
import sys
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import pytest

from stochsim import engine, levels

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PEERS = [path for path in EXAMPLES if path.name.startswith("peers_")]
OUTPUT = re.compile(r"<!-- output: (\S+) -->\n```text\n(.*?)```\n", re.DOTALL)
LONGEST = 40  # lines of code, blank ones apart
NUMBER = re.compile(r"[+-]?\d+\.\d+")


def shown() -> dict[str, str]:
    """Script name -> the output that the documentation shows."""
    pages = (ROOT / "docs").glob("*.md")
    return {name: text for page in pages for name, text in OUTPUT.findall(page.read_text("utf-8"))}


def lines_of_code(path: Path) -> int:
    return sum(1 for line in path.read_text("utf-8").splitlines() if line.strip())


def run(path: Path, *arguments: str) -> str:
    """What a script prints."""
    out = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out):
        patch.setattr(sys, "argv", [str(path), *arguments])
        patch.syspath_prepend(str(path.parent))
        patch.setattr(levels, "COMPILE_SECONDS", float("inf"))  # arrays have the same bits, and make no kernel
        patch.setattr(engine, "SMALL_RUN", float("inf"))
        runpy.run_path(str(path), run_name="__main__")
    return out.getvalue()


def missing_imports(path: Path) -> list[str]:
    names = re.findall(r"^(?:import|from) (\w+)", path.read_text("utf-8"), re.MULTILINE)
    return [name for name in names if find_spec(name) is None and not (path.parent / f"{name}.py").exists()]


def words(text: str) -> list[str]:
    """Every line without its measured numbers: names, declared orders and verdicts stay."""
    return [" ".join(NUMBER.sub("", line).split()) for line in text.splitlines()]


@pytest.mark.parametrize("path", [p for p in EXAMPLES if p not in PEERS], ids=lambda p: p.stem)
def test_an_example_runs_and_prints_what_the_gallery_shows(path: Path, tmp_path: Path) -> None:
    picture = tmp_path / "picture.png"
    printed = run(path, str(picture))
    if "savefig" in path.read_text("utf-8"):
        assert picture.stat().st_size > 10_000
    if path.name in shown():
        assert printed == shown()[path.name]


@pytest.mark.peer
@pytest.mark.skipif(not os.environ.get("STOCHSIM_PEERS"), reason="minutes: set STOCHSIM_PEERS=1 to run them")
@pytest.mark.parametrize("path", [p for p in PEERS if p.name in shown()], ids=lambda p: p.stem)
def test_other_libraries_are_measured_as_the_documentation_says(path: Path) -> None:
    if missing_imports(path):
        pytest.skip(f"needs {', '.join(missing_imports(path))}: pip install '.[bench]'")
    assert words(run(path)) == words(shown()[path.name])


def test_the_documentation_shows_the_output_of_every_example() -> None:
    numbered = {path.name for path in EXAMPLES if path.name[0].isdigit()}
    scripts = {path.name for path in PEERS} - {"peers_problems.py"}
    assert set(shown()) == numbered | scripts


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_an_example_is_one_idea_on_one_screen(path: Path) -> None:
    assert path.read_text("utf-8").startswith('"""'), "the first line says what it shows"
    assert lines_of_code(path) <= LONGEST


def test_a_changed_verdict_is_reported() -> None:
    assert words("milstein 1 0.99 ± 0.02 confirmed") == words("milstein 1 1.01 ± 0.03 confirmed")
    assert words("milstein 1 0.99 ± 0.02 confirmed") != words("milstein 1 0.49 ± 0.02 lower than declared")
