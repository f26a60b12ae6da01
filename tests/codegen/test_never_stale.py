"""A changed closure value, global, helper, default or array element never meets a stale kernel."""

import numpy as np

import stochsim as ss
from tests.problems import closure

# --- a changed model never meets an old kernel -----------------------------------------------------------------

FACTOR = 2.0
TABLE = np.array([1.0, 2.0, 3.0])


def helper(x):
    return 2.0 * x


def final(drift):
    sde = ss.SDE(drift, lambda x, t, p: 0.1 * x, x0=1.0)
    lanes, arrays = (
        ss.simulate(sde, ss.schemes.euler_maruyama, t_end=1.0, n_steps=3, n_paths=5, seed=1, executor=executor)
        for executor in ("lanes", "arrays")
    )
    assert np.array_equal(lanes.x.values, arrays.x.values)
    return lanes.x.values


def default(value):
    return lambda x, t, p, factor=value: factor * x


def through_helper(x, t, p):
    return helper(x)


def through_global(x, t, p):
    return FACTOR * x


def through_array(x, t, p):
    return TABLE[1] * x


def test_a_changed_closure_value_changes_the_result():
    assert not np.array_equal(final(closure(2.0)), final(closure(2.5)))


def test_a_changed_default_changes_the_result():
    assert not np.array_equal(final(default(2.0)), final(default(2.5)))


def test_a_changed_global_changes_the_result(monkeypatch):
    before = final(through_global)
    monkeypatch.setitem(globals(), "FACTOR", 2.5)
    assert not np.array_equal(final(through_global), before)


def test_a_changed_helper_changes_the_result(monkeypatch):
    before = final(through_helper)
    monkeypatch.setitem(globals(), "helper", lambda x: 2.5 * x)
    assert not np.array_equal(final(through_helper), before)


def test_a_changed_array_element_changes_the_result():
    before = final(through_array)
    TABLE[1] = 2.5
    try:
        assert not np.array_equal(final(through_array), before)
    finally:
        TABLE[1] = 2.0
