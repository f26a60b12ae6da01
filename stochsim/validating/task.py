"""One measurement of a validation: plain data that can be sent to another process."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatch

__all__ = ["Task"]


@dataclass(frozen=True)
class Task:
    """One measurement, small enough to be sent to another process.

    Parameters
    ----------
    kind : str
        One of the kinds that the family measures, or "claim".
    scheme, problem : str
        Names in the family's registries; for a claim the function and its file.
    method : str
        How it is measured, where the family knows several ways.
    seed : int
    judged : bool
        Whether the problem satisfies the hypotheses of the scheme.
    also : tuple of str
        Schemes whose step is the same formula here: the result holds for them too.
    quick : bool
        Array executor and less work, so that nothing is compiled.
    family : str
    variant : int
        Which of the option sets of a sampler's record.
    """

    kind: str
    scheme: str
    problem: str
    method: str
    seed: int
    judged: bool = True
    also: tuple[str, ...] = ()
    quick: bool = False
    family: str = "sde"
    variant: int = 0

    @property
    def schemes(self) -> tuple[str, ...]:
        """Every scheme that gets a row from it."""
        return (self.scheme, *self.also)

    def matches(self, pattern: str) -> bool:
        """Whether ``kind/scheme/problem`` holds the pattern, which may have ``*``, for any of its schemes.

        Parameters
        ----------
        pattern : str
        """
        return any(fnmatch(f"{self.kind}/{s}/{self.problem}", f"*{pattern}*") for s in self.schemes)
