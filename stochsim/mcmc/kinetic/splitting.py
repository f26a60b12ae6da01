"""Kinetic Langevin samplers named by the order of their exact sub-flows, Metropolised or not."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, NamedTuple

from stochsim.columns.noise import Noise
from stochsim.columns.ops import exp, expm1, log, minimum, sqrt, where
from stochsim.densities.record import Target
from stochsim.errors import ParameterError
from stochsim.mcmc.hamiltonian.metrics import EuclideanMetric
from stochsim.mcmc.kinetic.phase_space import EvaluatedPhase, FreeFlow, KineticSampler, Phase, at_rest, free_flow
from stochsim.mcmc.record import Claims, sampler

__all__ = ["LETTERS", "Splitting"]

LETTERS = "ABOU"


class Work(NamedTuple):
    """The energies of a step, in the units of -log π.

    ``heat`` is the kinetic energy that friction and noise exchanged, ``shadow_work`` the rest of the change of the
    total energy, which exact flows would not have: in the stationary law of the *target* E exp(-shadow_work / T) = 1.
    ``energy`` is the total energy at the end.
    """

    shadow_work: Any
    heat: Any
    energy: Any


class MetropolisedWork(NamedTuple):
    """`Work`, and how its proposals went: means over the ``{...}``; their shadow work counts even if refused."""

    shadow_work: Any
    heat: Any
    energy: Any
    accept_prob: Any
    accepted: Any


@sampler(
    Claims(
        "Leimkuhler & Matthews 2013, section 2; braces: Fass et al. 2018, Sivak, Chodera & Crooks 2013", bias_order=1
    )
)
@dataclass(frozen=True)
class Splitting(KineticSampler):
    """A kinetic Langevin sampler by its string, such as ``Splitting("BAOAB", step_size=0.2, friction=1.0)``.

    Letters are applied from left to right, each for the step divided by the number of its occurrences:

    A
        drift, x += h W p;
    B
        kick, p += h ∇log π(x);
    O
        friction and noise, p = e^(-γh) p + √(T(1 - e^(-2γh))) W^(-1/2) ξ;
    U
        A and O together, exactly: a Gaussian flow of (x, p) with two correlated normals;
    {...}
        a proposal that is refused with probability 1 - min(1, exp(-shadow work / T)): x goes back, and p turns round.

    Parameters
    ----------
    scheme : str
        Letters A, B and O, or B and U; with braces, every A, B and U stands within them.
    step_size : float
    friction : float
        The rate γ in 1/time, not times a mass.
    temperature : float
        T: the law sampled is π^(1/T).
    metric : array_like, optional
        Inverse mass W, (d,) or (d, d); default 1.

    Attributes
    ----------
    symmetric : bool
        Whether it reads the same backwards. If not, x and p are correlated in the stationary law, and it is, in
        general, of order 1.
    adjusted : bool
        Whether the target itself is invariant.

    Raises
    ------
    ParameterError
        Unknown or missing letters, unbalanced braces, a proposal that does not read the same backwards, numbers out of
        their domain.
    """

    scheme: str
    step_size: float
    friction: float
    temperature: float = 1.0
    metric: Any = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "scheme", self.scheme.replace(" ", ""))
        _check_letters(self.scheme)
        _check_braces(self.scheme)
        super().__post_init__()
        if type(self) is Splitting:  # a splitting without a name: what follows from its string
            order = float("inf") if self.adjusted else 1.0 + self.symmetric
            object.__setattr__(self, "claims", replace(type(self).claims, bias_order=order, gradients=self.gradients))

    @property
    def name(self) -> str:
        """The string."""
        return self.scheme

    @property
    def symmetric(self) -> bool:
        """Whether the string reads the same backwards."""
        letters = _letters(self.scheme)
        return letters == letters[::-1]

    @property
    def adjusted(self) -> bool:
        """Whether the target itself is invariant."""
        return "{" in self.scheme

    @property
    def gradients(self) -> int:
        """Gradient evaluations of a step."""
        moves = _letters(self.scheme).replace("O", "")
        blocks = sum(a != "B" and b == "B" for a, b in pairwise(moves))
        return blocks + int(moves[0] == "B" and moves[-1] != "B")

    def init(self, target: Target, x: Any) -> Phase | EvaluatedPhase:
        """Chains at x with momentum zero: `refresh` draws it."""
        if _begins_with_kick(self.scheme):
            return EvaluatedPhase(x, at_rest(x), *target.log_prob_and_score(x))
        return Phase(x, at_rest(x), target.log_prob(x))

    def step(self, target: Target, state: Any, noise: Noise) -> tuple[Any, Any]:
        """Apply the letters."""
        walk = _Walk(target, self.metric, self.temperature, noise, state)
        h, count = self.step_size, _letters(self.scheme).count
        flow = free_flow(self.friction, h / max(count("U"), 1))
        decay, spread = _ornstein_uhlenbeck(self.friction, self.temperature, h / max(count("O"), 1))
        moves = {
            "A": lambda: walk.drift(h / count("A")),
            "B": lambda: walk.kick(h / count("B")),
            "O": lambda: walk.thermalise(decay, spread),
            "U": lambda: walk.flow(flow),
            "{": walk.open,
            "}": walk.close,
        }
        if not self.adjusted:
            walk.open()
        for letter in self.scheme:
            moves[letter]()
        if not self.adjusted:
            walk.account()
        return walk.result(scored=_begins_with_kick(self.scheme))


def _ornstein_uhlenbeck(friction: Any, temperature: Any, t: Any) -> tuple[Any, Any]:
    """Factors of p and of W^(-1/2) ξ in the flow of dp = -γ p dt + √(2γT) W^(-1/2) dB."""
    return exp(-friction * t), sqrt(-temperature * expm1(-2.0 * friction * t))


class _Walk:
    """A step in the making: where it stands after the letters so far, and its energies. None is: not known here."""

    def __init__(self, target: Target, metric: EuclideanMetric, temperature: Any, noise: Noise, state: Any) -> None:
        self.target, self.metric, self.temperature, self.noise = target, metric, temperature, noise
        self.x, self.p, self._log_prob = state.x, state.p, state.log_prob
        self.score = getattr(state, "score", None)
        self._kinetic: Any = None
        self.work: Any = 0.0
        self.heat: Any = 0.0
        self.kicked: Any = 0.0  # kinetic energy that kicks gave since `open`
        self.accepts: list[tuple[Any, Any]] = []

    @property
    def kinetic(self) -> Any:
        if self._kinetic is None:
            self._kinetic = self.metric.kinetic(self.p)
        return self._kinetic

    @property
    def log_prob(self) -> Any:
        if self._log_prob is None:
            self._log_prob = self.target.log_prob(self.x)
        return self._log_prob

    def _move(self, x: Any) -> None:
        self.x, self._log_prob, self.score = x, None, None

    def drift(self, t: Any) -> None:
        self._move(self.x + t * self.metric.velocity(self.p))

    def evaluate(self) -> None:
        if self.score is None:
            self._log_prob, self.score = self.target.log_prob_and_score(self.x)

    def kick(self, t: Any) -> None:
        self.evaluate()
        before = self.kinetic
        self.p, self._kinetic = self.p + t * self.score, None
        self.kicked = self.kicked + (self.kinetic - before)

    def thermalise(self, decay: Any, spread: Any) -> None:
        before = self.kinetic
        xi = self.metric.momentum(self.noise.normal(self.p))
        self.p, self._kinetic = decay * self.p + spread * xi, None
        self.heat = self.heat + (self.kinetic - before)

    def flow(self, flow: FreeFlow) -> None:
        before = self.kinetic
        x, self.p = flow(self.metric, self.temperature, self.x, self.p, self.noise)
        self._move(x)
        self._kinetic = None
        self.heat = self.heat + (self.kinetic - before)

    def open(self) -> None:
        self.kicked = 0.0
        self.mark = (self.x, self.p, self.log_prob, self.score, self.kinetic)

    def account(self) -> Any:
        """The shadow work since `open`."""
        work = self.kicked - (self.log_prob - self.mark[2])
        self.work = self.work + work
        return work

    def close(self) -> None:
        log_ratio = -self.account() / self.temperature
        accept = log(self.noise.uniform(self.x)) < log_ratio
        x, p, log_prob, score, kinetic = self.mark
        self.x, self.p = where(accept, self.x, x), where(accept, self.p, -p)
        self._log_prob = where(accept, self.log_prob, log_prob)
        self._kinetic = where(accept, self.kinetic, kinetic)
        both = self.score is not None and score is not None
        self.score = where(accept, self.score, score) if both else None
        probability = where(log_ratio == log_ratio, exp(minimum(log_ratio, 0.0)), 0.0)
        self.accepts.append((probability, where(accept, 1.0, 0.0)))

    def result(self, *, scored: bool) -> tuple[Any, Any]:
        if scored:
            self.evaluate()
        phase = (self.x, self.p, self.log_prob)
        state = EvaluatedPhase(*phase, self.score) if scored else Phase(*phase)
        energies = (self.work, self.heat, self.kinetic - self.log_prob)
        if not self.accepts:
            return state, Work(*energies)
        n = len(self.accepts)
        means = (sum(parts[1:], parts[0]) / n for parts in zip(*self.accepts, strict=True))
        return state, MetropolisedWork(*energies, *means)


def _letters(scheme: str) -> str:
    return scheme.replace("{", "").replace("}", "")


def _begins_with_kick(scheme: str) -> bool:
    return _letters(scheme).lstrip("O")[0] == "B"


def _check_letters(scheme: str) -> None:
    letters = _letters(scheme)
    unknown = sorted(set(letters) - set(LETTERS))
    if unknown:
        raise ParameterError(
            f"splitting {scheme!r} has the letters {', '.join(unknown)}; A, B, O, U and braces are known"
        )
    given = set(letters)
    if "U" in given and given & {"A", "O"}:
        raise ParameterError(
            f"splitting {scheme!r} has U beside A or O; U is both of them: give A, B and O, or B and U"
        )
    missing = sorted(({"B", "U"} if "U" in given else {"A", "B", "O"}) - given)
    if missing:
        raise ParameterError(f"splitting {scheme!r} lacks {' and '.join(missing)}; give A, B and O, or B and U")


def _check_braces(scheme: str) -> None:
    depth, inside = 0, ""
    for letter in scheme:
        depth += {"{": 1, "}": -1}.get(letter, 0)
        if depth not in (0, 1):
            raise ParameterError(f"the braces of splitting {scheme!r} are not balanced, or stand within braces")
        if letter == "{":
            inside = ""
        elif letter == "}":
            _check_proposal(scheme, inside)
        elif depth:
            inside += letter
        elif "{" in scheme and letter != "O":
            raise ParameterError(
                f"splitting {scheme!r} has {letter} outside of the braces; only O leaves the target invariant"
            )
    if depth:
        raise ParameterError(f"the braces of splitting {scheme!r} are not balanced")


def _check_proposal(scheme: str, inside: str) -> None:
    if not inside or inside != inside[::-1]:
        raise ParameterError(
            f"the braces of splitting {scheme!r} hold {inside!r}; a proposal must read the same backwards, or its "
            "shadow work does not tell the Metropolis ratio"
        )
