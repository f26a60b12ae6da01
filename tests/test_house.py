"""The rules of the house, checked on whatever modules exist: layers, cycles, names, docstrings, sizes.

Most rules are read off the syntax tree, so they hold for imports inside functions too. Every checker has
a negative control: a small tree of modules that breaks the rule and must be reported.
"""

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "stochsim"

# Families are siblings: they do not import one another, and what two of them need moves down.
FAMILIES = frozenset({"mcmc", "diffusion", "jumps", "fractional", "bridges", "particles"})

# Imports point from a later row to an earlier one, or within a row. "" is stochsim/__init__.py itself.
LAYERS: tuple[frozenset[str], ...] = (
    frozenset({"_version", "errors", "vecmath"}),
    frozenset({"symbolic", "noise"}),
    frozenset({"codegen", "_pool"}),
    frozenset({"columns"}),
    frozenset({"parameters", "formula", "solution", "sde", "itolemma", "densities", "schedules", "schemes"}),
    frozenset({"steps", "engine", "levels", "_request", "_ensemble", "_results", "_simulate", "models"}),
    frozenset({"metrics", "laws", "orders"}),
    FAMILIES,
    frozenset({"plot", "_figure"}),
    frozenset({"report"}),
    frozenset({""}),
    frozenset({"named", "listing", "doctor", "validating", "validation_claims"}),
    frozenset({"cli", "__main__"}),
)
FREE = frozenset({""})  # the lazy names of stochsim/__init__.py come from everywhere
HEAVY = ("numba", "sympy", "matplotlib", "scipy", "xarray")
LONGEST_FILE = 400


class Import(NamedTuple):
    source: str  # dotted module below the package: "orders.estimate"
    target: str
    inside: str  # the function that holds the import, "" at module level


def module_name(path: Path, package: Path) -> str:
    parts = list(path.relative_to(package).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(package: Path) -> dict[str, Path]:
    return {module_name(path, package): path for path in sorted(package.rglob("*.py"))}


def targets(node: ast.stmt, source: str, is_package: bool, known: set[str]) -> Iterator[str]:
    """Modules of the package that one statement imports, without the package's own name in front."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        base = node.module or ""
        if node.level:
            here = [PACKAGE, *source.split(".")] if source else [PACKAGE]
            here = here if is_package else here[:-1]
            base = ".".join([*here[: len(here) - node.level + 1], *([base] if base else [])])
        inner = [f"{base}.{alias.name}" for alias in node.names]
        names = [name if name.removeprefix(f"{PACKAGE}.") in known else base for name in inner]
    else:
        return
    for name in names:
        if name == PACKAGE or name.startswith(f"{PACKAGE}."):
            yield name[len(PACKAGE) + 1 :]


def imports(package: Path) -> list[Import]:
    """Every import of one module of the package by another, wherever it stands."""
    found = modules(package)

    def walk(node: ast.AST, source: str, path: Path, inside: str) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import | ast.ImportFrom):
                for target in targets(child, source, path.name == "__init__.py", set(found)):
                    yield Import(source, target, inside)
            is_function = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
            yield from walk(child, source, path, child.name if is_function else inside)

    return [
        edge
        for source, path in found.items()
        for edge in walk(ast.parse(path.read_text("utf-8")), source, path, "")
        if edge.target != source
    ]


def draws_itself(edge: Import) -> bool:
    """The one import that may point upwards: a method ``plot`` that hands its object to stochsim.plot."""
    return edge.target == "plot" and edge.inside == "plot"


def layer(module: str) -> int | None:
    top = module.split(".")[0]
    return next((row for row, names in enumerate(LAYERS) if top in names), None)


def layer_faults(package: Path) -> list[str]:
    homeless = [name for name in modules(package) if layer(name) is None]
    faults = [f"{name} stands in no row of LAYERS: add it where it belongs" for name in homeless]
    for edge in imports(package):
        source, target = layer(edge.source), layer(edge.target)
        if source is None or target is None:
            continue
        tops = {edge.source.split(".")[0], edge.target.split(".")[0]}
        upwards = target > source and edge.source not in FREE and not draws_itself(edge)
        if upwards or (len(tops) == 2 and tops <= FAMILIES):
            faults.append(f"{edge.source or PACKAGE} imports {edge.target} (in {edge.inside or 'the module'})")
    return faults


def cycles(package: Path) -> list[list[str]]:
    """Circles of imports, each found once, as lists of modules."""
    graph: dict[str, set[str]] = {}
    for edge in imports(package):
        if not draws_itself(edge) and edge.source not in FREE:
            graph.setdefault(edge.source, set()).add(edge.target)
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(module: str, trail: list[str]) -> None:
        if module in trail:
            found.append([*trail[trail.index(module) :], module])
        elif module not in done:
            for target in sorted(graph.get(module, ())):
                visit(target, [*trail, module])
            done.add(module)

    for module in sorted(graph):
        visit(module, [])
    return found


def documented_parameters(doc: str, section: str = "Parameters") -> list[str] | None:
    """Names listed in one section of a NumPy docstring, or None when it has no such section."""
    lines = inspect.cleandoc(doc).splitlines()
    start = next((i for i, line in enumerate(lines) if line == section), None)
    if start is None:
        return None
    names: list[str] = []
    for i in range(start + 2, len(lines)):
        if i + 1 < len(lines) and set(lines[i + 1]) == {"-"} and lines[i]:
            break
        if lines[i] and not lines[i].startswith(" "):
            names += [name.strip().lstrip("*") for name in lines[i].split(" : ")[0].split(",")]
    return names


# Arguments that every function of a kind has, described once where the kind is: its docstring lists the rest.
KINDS = (["model", "x", "grid", "noise"],)  # stochsim.diffusion.record.Sampler


def signature(function: ast.FunctionDef) -> list[str]:
    a = function.args
    names = [*a.posonlyargs, *a.args, *([a.vararg] if a.vararg else []), *a.kwonlyargs]
    names += [a.kwarg] if a.kwarg else []
    taken = [arg.arg for arg in names if arg.arg not in ("self", "cls")]
    common = next((kind for kind in KINDS if taken[: len(kind)] == kind and decorators(function)), [])
    return taken[len(common) :]


def decorators(node: ast.FunctionDef | ast.ClassDef) -> set[str]:
    return {ast.unparse(d).split("(")[0].split(".")[-1] for d in node.decorator_list}


def fields(node: ast.ClassDef) -> list[str]:
    """Fields that a dataclass takes in its constructor."""
    taken = [
        item
        for item in node.body
        if isinstance(item, ast.AnnAssign)
        and not ast.unparse(item.annotation).startswith("ClassVar")
        and not (item.value and "init=False" in ast.unparse(item.value))
    ]
    return [ast.unparse(item.target) for item in taken]


def public_callables(tree: ast.Module) -> Iterator[tuple[str, str, list[str]]]:
    """(name, docstring, parameters) of public functions, methods and classes."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node.name, ast.get_docstring(node) or "", signature(node)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
            init = [item for item in methods if item.name == "__init__"]
            taken = signature(init[0]) if init else fields(node)
            if init or "dataclass" in decorators(node):
                yield node.name, ast.get_docstring(node) or "", taken
            for item in methods:
                if not item.name.startswith("_"):
                    yield f"{node.name}.{item.name}", ast.get_docstring(item) or "", signature(item)


def docstring_faults(path: Path) -> list[str]:
    faults = []
    for name, doc, taken in public_callables(ast.parse(path.read_text("utf-8"))):
        listed = documented_parameters(doc)
        if listed is not None and listed != taken:
            faults.append(f"{path.name}: {name} documents {listed}, its signature is {taken}")
    return faults


def name_faults(module: ModuleType) -> list[str]:
    """Public names that are missing, change on a second look, or are shadowed by a file of that name."""
    faults = []
    for name in getattr(module, "__all__", ()):
        first = getattr(module, name, None)
        second = getattr(module, name, None)
        if first is None or first is not second:
            faults.append(f"{module.__name__}.{name}: {first!r}, then {second!r}")
        folder = Path(module.__file__ or "").parent
        is_package = Path(module.__file__ or "").name == "__init__.py"
        twin = is_package and ((folder / f"{name}.py").exists() or (folder / name / "__init__.py").exists())
        if twin and not inspect.ismodule(first):
            faults.append(f"{module.__name__}.{name} is also the name of a file of {folder.name}/")
    return faults


def write(package: Path, **files: str) -> Path:
    """A package of one-line modules; ``orders__estimate`` becomes orders/estimate.py."""
    for name, text in files.items():
        path = package / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return package


MODULES = modules(ROOT / PACKAGE)
OURS = [
    path for folder in (PACKAGE, "tests", "validation", "examples", "benchmarks", "docs")
    for path in sorted((ROOT / folder).rglob("*.py"))
]  # fmt: skip


def test_imports_point_one_way() -> None:
    assert layer_faults(ROOT / PACKAGE) == []


@pytest.mark.parametrize(
    "text",
    ["import stochsim.plot", "def f():\n    from stochsim import plot", "from ..plot import order",
     "from stochsim.plot import order"],
)  # fmt: skip
def test_an_import_that_points_upwards_is_reported(tmp_path: Path, text: str) -> None:
    package = write(tmp_path / PACKAGE, plot="", orders__estimate=text, report="import stochsim.plot")
    assert len(layer_faults(package)) == 1


def test_a_plot_method_may_reach_up_to_plot(tmp_path: Path) -> None:
    text = "class Estimate:\n    def plot(self):\n        from stochsim.plot import order"
    assert layer_faults(write(tmp_path / PACKAGE, plot="", orders__estimate=text)) == []


def test_a_module_without_a_layer_is_reported(tmp_path: Path) -> None:
    assert len(layer_faults(write(tmp_path / PACKAGE, stray="import stochsim.errors", errors=""))) == 1


def test_a_family_that_imports_its_sibling_is_reported(tmp_path: Path) -> None:
    package = write(tmp_path / PACKAGE, mcmc__chain="", diffusion__noise="from stochsim.mcmc.chain import run")
    assert len(layer_faults(package)) == 1


def test_there_are_no_circles_of_imports() -> None:
    assert cycles(ROOT / PACKAGE) == []


def test_a_circle_of_imports_is_reported(tmp_path: Path) -> None:
    package = write(
        tmp_path / PACKAGE,
        sde="from stochsim import schedules",
        schedules="def f():\n    from .sde import SDE",
    )
    assert [sorted(set(circle)) for circle in cycles(package)] == [["schedules", "sde"]]


@pytest.mark.parametrize("name", sorted(MODULES))
def test_public_names_are_there_and_stay(name: str) -> None:
    module = importlib.import_module(f"{PACKAGE}.{name}".rstrip("."))
    assert name_faults(module) == []


def test_a_lazy_name_beside_a_file_of_that_name_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lazy = (
        "__all__ = ['simulate']\n"
        "def __getattr__(name):\n"
        "    import importlib\n"
        "    return importlib.import_module('shadowed.simulate').simulate\n"
    )
    write(tmp_path / "shadowed", __init__="", simulate="def simulate(): pass")
    (tmp_path / "shadowed" / "__init__.py").write_text(lazy)
    monkeypatch.syspath_prepend(tmp_path)
    assert len(name_faults(importlib.import_module("shadowed"))) == 2


def test_importing_stochsim_loads_nothing_heavy() -> None:
    code = f"import stochsim, sys; print(*[m for m in {HEAVY!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert result.stdout.split() == []


@pytest.mark.parametrize("name", sorted(MODULES))
def test_docstrings_name_the_parameters_of_the_signature(name: str) -> None:
    assert docstring_faults(MODULES[name]) == []


def test_a_docstring_of_another_signature_is_reported(tmp_path: Path) -> None:
    section = "Parameters\n    ----------\n    x, t : float\n        Here.\n    *rest : float"
    doc = f'    """Step.\n\n    {section}\n    """'
    path = tmp_path / "step.py"
    path.write_text(f"def good(x, t, *rest):\n{doc}\ndef bad(x, h, *rest):\n{doc}\n")
    assert [fault.split()[1] for fault in docstring_faults(path)] == ["bad"]


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_are_short(path: Path) -> None:
    lines = len(path.read_text("utf-8").splitlines())
    assert lines < LONGEST_FILE, f"{path.name} has {lines} lines: it is two modules"
