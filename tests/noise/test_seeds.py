"""Seeds: what is accepted, what is refused, and that the record reproduces the key."""

import numpy as np
import pytest

from stochsim.errors import ParameterError
from stochsim.noise.seeds import seed_key


@pytest.mark.parametrize("seed", [0, 7, 2**32, 2**64 - 1, 2**200 + 3])
def test_an_integer_is_its_own_record(seed):
    k0, k1, record = seed_key(seed)
    assert record == str(seed)
    assert 0 <= min(k0, k1) <= max(k0, k1) < 2**32
    assert seed_key(int(record)) == (k0, k1, record)


def test_numpy_integers_and_seed_sequences_agree_with_integers():
    assert seed_key(np.int64(7)) == seed_key(7)
    assert seed_key(np.random.SeedSequence(7))[:2] == seed_key(7)[:2]


def test_a_fresh_seed_is_recorded():
    first, second = seed_key(None), seed_key(None)
    assert first[:2] != second[:2]
    assert seed_key(int(first[2])) == first


def test_spawned_sequences_differ_and_their_record_rebuilds_them():
    parent = np.random.SeedSequence(7)
    for child in parent.spawn(3):
        k0, k1, record = seed_key(child)
        assert (k0, k1) != seed_key(parent)[:2]
        assert seed_key(eval(record, {"SeedSequence": np.random.SeedSequence}))[:2] == (k0, k1)
    assert len({seed_key(child)[:2] for child in np.random.SeedSequence(1).spawn(50)}) == 50


def test_neighbouring_seeds_give_different_keys():
    assert len({seed_key(s)[:2] for s in range(1000)}) == 1000


@pytest.mark.parametrize(
    "seed",
    [True, np.True_, 1.0, "7", -1, np.int64(-1), (1, 2), np.array(3), np.random.default_rng(1)],
    ids=lambda seed: repr(seed).split(" at ")[0],
)
def test_anything_else_is_refused_in_a_sentence(seed):
    with pytest.raises(ParameterError, match="give a non-negative integer"):
        seed_key(seed)
