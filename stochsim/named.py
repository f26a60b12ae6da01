"""Models and schemes by name, or by the name of an object in a file of the user's own: ``my_model.py:sde``."""

from __future__ import annotations

import difflib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from stochsim.errors import ModelError, ParameterError, SchemeError, StochsimError
from stochsim.schemes import REGISTRY, Scheme
from stochsim.sde import SDE

__all__ = ["find_model", "find_scheme"]


def find_model(text: str) -> SDE:
    """The model that a user names on the command line.

    Parameters
    ----------
    text : str
        ``FILE.py:NAME``, an SDE or a function without arguments that returns one; ``FILE.py`` alone where it
        holds a single SDE; or the name of a built-in model.

    Raises
    ------
    ModelError
        If the file cannot be run, or holds no such SDE.
    ParameterError
        If there is no such file or model.
    """
    file, name = _split(text)
    if file is None:
        from stochsim import models

        if text not in models.REGISTRY:
            raise ParameterError(
                f"no model is called {text!r}{_near(text, models.REGISTRY)}; give a name of stochsim list models, or "
                "FILE.py:NAME"
            )
        return models.REGISTRY[text].default
    module = _run_file(file)
    if not name:
        return _only_sde(file, module)
    return _as_sde(file, name, _member(file, module, name))


def find_scheme(text: str) -> Scheme:
    """The scheme that a user names on the command line.

    Parameters
    ----------
    text : str
        The name of a built-in scheme, or ``FILE.py:NAME``.

    Raises
    ------
    SchemeError
        If there is no such scheme.
    ModelError
        If the file cannot be run.
    ParameterError
        If there is no such file.
    """
    file, name = _split(text)
    if file is None:
        if text not in REGISTRY:
            raise SchemeError(
                f"no scheme is called {text!r}{_near(text, REGISTRY)}; give a name of stochsim list schemes, or "
                "FILE.py:NAME"
            )
        return REGISTRY[text]
    module = _run_file(file)
    found = vars(module).get(name)
    if not isinstance(found, Scheme):
        own = [n for n, value in vars(module).items() if isinstance(value, Scheme)]
        raise SchemeError(
            f"{file} has no scheme {name!r}; its schemes are {_list(own)} (functions with @ss.schemes.scheme)"
        )
    return found


def _split(text: str) -> tuple[Path | None, str]:
    """The file and the name in it; no file for a built-in name."""
    head, colon, name = text.rpartition(":")
    if colon and head.endswith(".py"):
        return Path(head), name
    return (Path(text), "") if text.endswith(".py") else (None, text)


def _run_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ParameterError(f"{path} does not exist; give the path of a Python file")
    key = f"_user_{path.resolve()}"
    if key in sys.modules:
        return sys.modules[key]
    spec = importlib.util.spec_from_file_location(key, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)  # so that it can import its neighbours, as when it is run by itself
    sys.modules[key] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[key]
        if isinstance(error, StochsimError) or not isinstance(error, Exception):
            raise
        raise ModelError(f"{path} cannot be run{_line_of(error, path)}: {type(error).__name__}: {error}") from error
    return module


def _line_of(error: Exception, path: Path) -> str:
    if isinstance(error, SyntaxError):
        return f" (line {error.lineno})"
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) == path.absolute()]
    lines = lines or [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return f" (line {lines[-1]})" if lines else ""


def _member(file: Path, module: ModuleType, name: str) -> Any:
    if name not in vars(module):
        raise ModelError(f"{file} has no {name!r}{_near(name, vars(module))}; {_candidates(module)}")
    return vars(module)[name]


def _as_sde(file: Path, name: str, value: Any) -> SDE:
    if isinstance(value, SDE):
        return value
    if not callable(value) or _needs_arguments(value):
        what = "a function with arguments" if callable(value) else f"a {type(value).__name__}"
        raise ModelError(
            f"{name} of {file} is {what}; give an SDE, or a function without arguments that returns one "
            f"({_candidates_of(file)})"
        )
    returned = value()
    if not isinstance(returned, SDE):
        raise ModelError(f"{name}() of {file} returned a {type(returned).__name__}; return an ss.SDE")
    return returned


def _needs_arguments(function: Any) -> bool:
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return True
    optional = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return any(p.default is p.empty and p.kind not in optional for p in parameters)


def _only_sde(file: Path, module: ModuleType) -> SDE:
    found = _sdes(module)
    if len(found) != 1:
        raise ModelError(f"{file} was given without a name; {_candidates(module)}, so give {file}:NAME")
    return found[0][1]


def _sdes(module: ModuleType) -> list[tuple[str, SDE]]:
    return [(n, v) for n, v in vars(module).items() if isinstance(v, SDE) and not n.startswith("_")]


def _candidates_of(file: Path) -> str:
    return _candidates(_run_file(file))


def _candidates(module: ModuleType) -> str:
    """What a user may have meant."""
    names = [name for name, _ in _sdes(module)]
    builders = [
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__ and not _needs_arguments(value)
    ]
    text = f"its SDEs are {_list(names)}" if names else "it holds no SDE"
    return f"{text}; functions without arguments: {_list(builders)}" if builders else text


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"


def _near(name: str, known: Mapping[str, Any]) -> str:
    near = difflib.get_close_matches(name, [n for n in known if not n.startswith("_")], n=1)
    return f" (did you mean {near[0]}?)" if near else ""
