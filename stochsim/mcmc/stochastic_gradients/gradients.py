"""Langevin samplers that see one block of the data a step: overdamped, kinetic, and symmetric splittings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from stochsim.columns.noise import Noise
from stochsim.columns.ops import exp, expm1, sqrt
from stochsim.errors import ParameterError
from stochsim.mcmc.hamiltonian.metrics import euclidean
from stochsim.mcmc.kinetic.phase_space import FreeFlow, at_rest, free_flow, require_friction
from stochsim.mcmc.kinetic.splitting import LETTERS
from stochsim.mcmc.record import Claims, NoInfo, Sampler, require_positive, sampler
from stochsim.mcmc.stochastic_gradients.batches import INDEPENDENT, Batches, SumTarget, Visit

__all__ = ["SGHMC", "SGLD", "StochasticGradientSplitting"]


class Visited(NamedTuple):
    """A place, and where the chain stands in its data."""

    x: Any
    order: Any
    turn: Any


class VisitedPhase(NamedTuple):
    """Place and momentum, and where the chain stands in its data."""

    x: Any
    p: Any
    order: Any
    turn: Any


@dataclass(frozen=True)
class StochasticGradientSampler(Sampler):
    """What samplers with stochastic gradients share: the order of visits, and a control variate."""

    step_size: float
    batches: Batches = INDEPENDENT
    control: Any = None

    def __post_init__(self) -> None:
        require_positive("step_size", self.step_size)
        if not isinstance(self.batches, Batches):
            raise ParameterError(
                f"batches is {self.batches!r}; give INDEPENDENT, RESHUFFLED or SYMMETRIC of "
                "ss.mcmc.stochastic_gradient_batches"
            )

    def begin(self, target: SumTarget, x: Any) -> Visit:
        """Before the first visit to the data.

        Raises
        ------
        ParameterError
            If the target is no sum of blocks.
        """
        if not hasattr(target, "block_score"):
            raise ParameterError(
                f"{self.name} needs a sum over blocks of data, not {type(target).__name__}; give a QuadraticSum or a "
                "BlockPosterior of ss.mcmc.stochastic_gradient_targets"
            )
        return self.batches.begin(target.blocks, x)

    def next_score(self, target: SumTarget, state: Any, noise: Noise) -> tuple[Callable[[Any], Any], Visit]:
        """The gradient estimate as a function of x, with the next block, and the visit after it."""
        visit = Visit(state.order, state.turn)
        index, after = self.batches.draw(target.blocks, visit, noise.uniform(state.x))

        def score(x: Any) -> Any:
            estimate = target.block_score(x, index)
            return estimate if self.control is None else estimate + self.control.correction(target, x, index)

        return score, after


@sampler(Claims("Welling & Teh 2011, eq. (4); control variates: Baker, Fearnhead, Fox & Nemeth 2019", bias_order=1))
@dataclass(frozen=True)
class SGLD(StochasticGradientSampler):
    """Stochastic gradient Langevin dynamics: ULA with the gradient of one block of data a step.

    Where the gradient noise has the covariance V everywhere, its variance adds to that of the chain: on N(0, 1) the
    stationary variance is (1 + h V/2)/(1 - h/2) with independent batches. Reshuffling takes that heat away, but where
    curvatures of blocks differ the mean then has a bias of order h, which independent batches have not on quadratics.

    Parameters
    ----------
    step_size : float
        h of dX = P ∇log π dt + √(2TP) dW.
    batches : Batches
        INDEPENDENT, RESHUFFLED or SYMMETRIC of ``ss.mcmc.stochastic_gradient_batches``.
    control : object, optional
        A control variate, of `stochastic_gradient_targets.control_variate`.
    temperature : float
        T: the law sampled is π^(1/T).
    metric : array_like, optional
        The preconditioner P, (d,) or (d, d); default 1.
    """

    step_size: float
    batches: Batches = INDEPENDENT
    control: Any = None
    temperature: float = 1.0
    metric: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_positive("temperature", self.temperature)
        object.__setattr__(self, "metric", euclidean(self.metric))

    def init(self, target: Any, x: Any) -> Visited:
        """The place, before the first visit."""
        return Visited(x, *self.begin(target, x))

    def step(self, target: Any, state: Visited, noise: Noise) -> tuple[Visited, NoInfo]:
        """X' = x + P (h g_b(x) + √(2hT) P^(-1/2) ξ)."""
        x, h, metric = state.x, self.step_size, self.metric
        score, visit = self.next_score(target, state, noise)
        kick = h * score(x) + sqrt(2.0 * h * self.temperature) * metric.momentum(noise.normal(x))
        return Visited(x + metric.velocity(kick), *visit), NoInfo()


@dataclass(frozen=True)
class _Kinetic(StochasticGradientSampler):
    """The fields of kinetic samplers, and momenta at rest."""

    friction: float = 1.0
    temperature: float = 1.0
    metric: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        require_friction(self.friction)
        require_positive("temperature", self.temperature)
        object.__setattr__(self, "metric", euclidean(self.metric))

    def init(self, target: Any, x: Any) -> VisitedPhase:
        """Chains at x with momentum zero, before the first visit: `refresh` draws the momentum."""
        return VisitedPhase(x, at_rest(x), *self.begin(target, x))

    def refresh(self, state: VisitedPhase, noise: Noise) -> VisitedPhase:
        """The state with momenta drawn from N(0, T W⁻¹)."""
        return state._replace(p=sqrt(self.temperature) * self.metric.momentum(noise.normal(state.x)))


@sampler(Claims("Chen, Fox & Guestrin 2014, eq. (13), algorithm 2", bias_order=1))
@dataclass(frozen=True)
class SGHMC(_Kinetic):
    """Stochastic gradient Hamiltonian Monte Carlo: friction against the noise of the gradients.

    x' = x + h W p, then p' = p + h g_b(x') - γ h p + √(2 (γT - β) h) W^(-1/2) ξ. An estimate β of h V W / 2, with V the
    covariance of the gradients' noise, takes away their heat.

    Parameters
    ----------
    step_size : float
    batches : Batches
        INDEPENDENT, RESHUFFLED or SYMMETRIC of ``ss.mcmc.stochastic_gradient_batches``.
    control : object, optional
        A control variate, of `stochastic_gradient_targets.control_variate`.
    friction : float
        The rate γ.
    temperature : float
        T: the law sampled is π^(1/T).
    metric : array_like, optional
        Inverse mass W, (d,) or (d, d); default 1.
    noise_estimate : float
        β, below γT.

    Raises
    ------
    ParameterError
        If β is not within [0, γT].
    """

    step_size: float
    batches: Batches = INDEPENDENT
    control: Any = None
    friction: float = 1.0
    temperature: float = 1.0
    metric: Any = None
    noise_estimate: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0.0 <= self.noise_estimate <= self.friction * self.temperature:
            raise ParameterError(
                f"noise_estimate is {self.noise_estimate!r}; give a number between 0 and friction times temperature, "
                f"{self.friction * self.temperature:g}"
            )

    def step(self, target: Any, state: VisitedPhase, noise: Noise) -> tuple[VisitedPhase, NoInfo]:
        """A drift, then a kick with friction."""
        h, gamma, metric = self.step_size, self.friction, self.metric
        score, visit = self.next_score(target, state, noise)
        x = state.x + h * metric.velocity(state.p)
        spread = sqrt(2.0 * h * (gamma * self.temperature - self.noise_estimate))
        p = state.p + h * (score(x) - gamma * state.p) + spread * metric.momentum(noise.normal(x))
        return VisitedPhase(x, p, *visit), NoInfo()


@sampler(Claims("Paulin, Whalley, Chada & Leimkuhler 2024, section 3 (SMS-UBU)", bias_order=1))
@dataclass(frozen=True)
class StochasticGradientSplitting(_Kinetic):
    """A kinetic splitting whose kicks take one block of data a step, such as ``scheme="UBU"``.

    Letters as in `Splitting`; all kicks of a step take the same block. With a scheme that reads the same backwards
    the bias is of order 2 for reshuffled and symmetric batches (no more for any integrator), and of order 1 for
    independent ones, whose noise heats the chain by h V/(2γ).

    Parameters
    ----------
    step_size : float
    batches : Batches
        INDEPENDENT, RESHUFFLED or SYMMETRIC of ``ss.mcmc.stochastic_gradient_batches``.
    control : object, optional
        A control variate, of `stochastic_gradient_targets.control_variate`.
    friction : float
        The rate γ.
    temperature : float
        T: the law sampled is π^(1/T).
    metric : array_like, optional
        Inverse mass W, (d,) or (d, d); default 1.
    scheme : str
        Letters A, B and O, or B and U.

    Raises
    ------
    ParameterError
        If letters are unknown or missing.
    """

    step_size: float
    batches: Batches = INDEPENDENT
    control: Any = None
    friction: float = 1.0
    temperature: float = 1.0
    metric: Any = None
    scheme: str = "UBU"

    def __post_init__(self) -> None:
        super().__post_init__()
        given = set(self.scheme)
        if given not in ({"A", "B", "O"}, {"B", "U"}):
            raise ParameterError(f"scheme is {self.scheme!r}; give letters A, B and O, or B and U (of {LETTERS})")

    @property
    def name(self) -> str:
        """The scheme, marked."""
        return f"SG-{self.scheme}"

    def step(self, target: Any, state: VisitedPhase, noise: Noise) -> tuple[VisitedPhase, NoInfo]:
        """Apply the letters."""
        score, visit = self.next_score(target, state, noise)
        x, p, force = state.x, state.p, None
        h, count = self.step_size, self.scheme.count
        flow = free_flow(self.friction, h / max(count("U"), 1))
        for letter in self.scheme:
            if letter == "B":
                force = score(x) if force is None else force
                p = p + (h / count("B")) * force
            elif letter == "O":
                p = self._thermalised(p, h / count("O"), noise)
            else:
                x, p = self._moved(x, p, flow, h / max(count("A"), 1), noise)
                force = None
        return VisitedPhase(x, p, *visit), NoInfo()

    def _moved(self, x: Any, p: Any, flow: FreeFlow, t: Any, noise: Noise) -> tuple[Any, Any]:
        if "U" in self.scheme:
            return flow(self.metric, self.temperature, x, p, noise)
        return x + t * self.metric.velocity(p), p

    def _thermalised(self, p: Any, t: Any, noise: Noise) -> Any:
        spread = sqrt(-self.temperature * expm1(-2.0 * self.friction * t))
        return exp(-self.friction * t) * p + spread * self.metric.momentum(noise.normal(p))
