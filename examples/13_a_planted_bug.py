"""A planted bug: Langevin proposals accepted as if they were symmetric, caught by the invariance test."""

from dataclasses import dataclass

import stochsim as ss
from stochsim.columns.ops import sqrt
from stochsim.mcmc.langevin.overdamped import MALA, Evaluated, metropolis


@dataclass(frozen=True)
class Forgetful(MALA):
    """MALA without the ratio of proposals."""

    def step(self, target, state, noise):
        """Accept with π(y)/π(x) alone."""
        y = state.x + self.step_size * state.score + sqrt(2.0 * self.step_size) * noise.normal(state.x)
        proposal = Evaluated(y, *target.log_prob_and_score(y))
        return metropolis(proposal.log_prob - state.log_prob, proposal, state, noise.uniform(y))


mixture = ss.densities.GaussianMixture([0.6, 0.4], [[-1.0, 0.0], [1.5, 0.5]], [0.5, 0.8])


def transition(sampler):
    """x (n, d), seed -> x after one step of every chain."""

    def move(x, seed):
        ds = ss.mcmc.sample(mixture, sampler, n_chains=len(x), n_steps=1, x0=x, save="final", seed=seed)
        return ds.x.values[:, 0]

    return move


for sampler in (MALA(step_size=0.3), Forgetful(step_size=0.3)):
    check = ss.metrics.invariance_test(mixture, transition(sampler), n_chains=4000, n_steps=10, seed=4)
    verdict = "leaves the target invariant" if check.passed else "FAILS"
    print(f"{sampler.name:9}  {verdict}: p = {check.p_value:.1g} at a false-alarm rate of {check.false_alarm:g}")
    for part in check.failures[:2]:
        print(f"           {part.name}: {part.statistic:.1f} beyond {part.threshold:.1f}")
