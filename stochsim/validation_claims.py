"""Published claims as executable checks: functions in ``validation/<family>/*.py`` of a checkout.

A claim is a function of a seed that returns whether it holds and what was measured; its docstring is the
statement. `stochsim validate` finds it by its decorator.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import stochsim
from stochsim.errors import ParameterError

__all__ = ["Claim", "claim", "claims_of", "find_claim", "validation_folder"]

Check = Callable[[int], tuple[bool, str]]


@dataclass(frozen=True)
class Claim:
    """A check and where its claim was published.

    Parameters
    ----------
    check : callable
        ``check(seed) -> (holds, measured)``.
    source : str
    quick : bool
        Whether it belongs to a quick validation (a second or two).
    """

    check: Check
    source: str
    quick: bool = False

    @property
    def name(self) -> str:
        """Of the function."""
        return self.check.__name__

    @property
    def statement(self) -> str:
        """The first paragraph of the docstring, in one line."""
        return " ".join((self.check.__doc__ or self.name).strip().split("\n\n")[0].split())


def claim(source: str, *, quick: bool = False) -> Callable[[Check], Claim]:
    """Make a claim of a function ``(seed) -> (holds, measured)``.

    Parameters
    ----------
    source : str
        Where it was published.
    quick : bool
        Whether it takes a second or two at most.
    """
    return lambda check: Claim(check, source, quick)


def validation_folder() -> Path | None:
    """The validation folder of the checkout that stochsim runs from; None where it is installed."""
    root = Path(stochsim.__file__).resolve().parent.parent
    folder = root / "validation"
    return folder if folder.is_dir() and (root / "pyproject.toml").is_file() else None


def claims_of(folder: Path, family: str | None = None) -> Iterator[tuple[str, Path, Claim]]:
    """(family, file, claim) of every claim below a validation folder.

    Parameters
    ----------
    folder : Path
    family : str, optional
        A subfolder; default all.
    """
    for file in sorted(folder.glob(f"{family or '*'}/*.py")):
        if not file.name.startswith("_"):
            for value in vars(_load(file)).values():
                if isinstance(value, Claim):
                    yield file.parent.name, file, value


def find_claim(file: Path, name: str) -> Claim:
    """A claim of a file by the name of its function.

    Parameters
    ----------
    file : Path
    name : str

    Raises
    ------
    ParameterError
        If the file has no such claim.
    """
    for value in vars(_load(file)).values():
        if isinstance(value, Claim) and value.name == name:
            return value
    raise ParameterError(f"{file} has no claim {name!r}; write a function with @claim(...) of that name")


def _load(file: Path) -> ModuleType:
    name = f"_validation_{file.parent.name}_{file.stem}"
    if name in sys.modules and sys.modules[name].__file__ == str(file):
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
