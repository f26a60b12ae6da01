"""The file of a validation: JSON lines, a row as it is measured, so that a run that ends early loses nothing."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from stochsim.errors import ParameterError
from stochsim.report.rows import CheckRow, ClaimRow, MutantRow, OrderRow, Row, RunFacts, StabilityRow

__all__ = ["FILE_NAME", "Store", "read_run"]

FILE_NAME = "rows.jsonl"
_TYPES: dict[str, type[Any]] = {
    t.__name__: t for t in (RunFacts, OrderRow, MutantRow, StabilityRow, CheckRow, ClaimRow)
}


def as_line(record: Row | RunFacts) -> str:
    """One line of JSON; what is not finite becomes null."""
    return json.dumps({"type": type(record).__name__, **_plain(asdict(record))}, allow_nan=False)


def from_line(line: str) -> Row | RunFacts:
    """The record of a line.

    Raises
    ------
    ParameterError
        If the line is not one of ours.
    """
    try:
        fields = json.loads(line)
        record: Row | RunFacts = _TYPES[fields.pop("type")](**fields)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ParameterError(f"{line[:60]!r} is no row of a validation; give a file that validate wrote") from None
    lists = [record.h, record.errors, record.errors_se] if isinstance(record, OrderRow) else []
    lists += record.amplification if isinstance(record, StabilityRow) else []
    for values in lists:
        values[:] = [math.nan if v is None else v for v in values]
    return record


class Store:
    """The file of a run: a line for each row as it comes, and the facts of the run first and last.

    Parameters
    ----------
    folder : Path
        Made if it does not exist; an earlier run in it is replaced.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE_NAME
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("w", encoding="utf-8")
        except OSError as error:
            raise ParameterError(
                f"{folder} cannot be written ({error.strerror or error}); give --html a folder that can"
            ) from None

    def add(self, record: Row | RunFacts) -> None:
        """Write a row so that it survives whatever comes next."""
        self._file.write(as_line(record) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


def read_run(path: Path) -> tuple[RunFacts, list[Row]]:
    """The facts and rows of a run, from its folder or file; of a run that was killed, what it had written.

    Raises
    ------
    ParameterError
        If there is no such file, or it holds something else.
    """
    file = path / FILE_NAME if path.is_dir() else path
    if not file.is_file():
        raise ParameterError(f"{file} does not exist; run stochsim validate --html {path} first")
    records = list(_complete_records(file))
    facts = [r for r in records if isinstance(r, RunFacts)]
    rows = [r for r in records if not isinstance(r, RunFacts)]
    if not facts:
        raise ParameterError(f"{file} is empty; run stochsim validate --html {path} first")
    return facts[-1], rows


def _complete_records(file: Path) -> Iterator[Row | RunFacts]:
    for line in file.read_text("utf-8").splitlines(keepends=True):
        if line.endswith("\n"):  # a line without its end was being written when the run was killed
            yield from_line(line)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
