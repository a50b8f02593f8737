"""The order of a run: a pure function, the same for any number of ranks, and at once at any step."""

import random

import numpy as np
import pytest

from models.data.order import Order, sample_rng


def test_each_epoch_has_every_clip_once_and_another_order() -> None:
    order = Order(seed=3, clips=11)
    epochs = [[order.at(11 * e + i) for i in range(11)] for e in range(3)]
    assert all(sorted(place.clip for place in epoch) == list(range(11)) for epoch in epochs)
    assert [{place.epoch for place in epoch} for epoch in epochs] == [{0}, {1}, {2}]
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("ranks", [1, 2, 3, 4])
def test_ranks_share_out_one_global_batch(ranks: int) -> None:
    order = Order(seed=1, clips=17)
    for step in (0, 5, 1_000_003):
        whole = order.batch(step, 12)
        parts = [order.batch(step, 12 // ranks, rank=rank, ranks=ranks) for rank in range(ranks)]
        assert [place for part in parts for place in part] == whole


def test_ten_thousand_resumes_give_the_order_of_an_unbroken_run() -> None:
    order, choose = Order(seed=9, clips=23), random.Random(4)
    unbroken = [order.batch(step, 5) for step in range(400)]
    for _ in range(10_000):
        step = choose.randrange(400)
        assert Order(seed=9, clips=23).batch(step, 5) == unbroken[step]


def test_a_sample_has_the_same_randomness_wherever_it_is_loaded() -> None:
    draws = {
        (seed, clip, epoch): tuple(sample_rng(seed, clip, epoch).integers(0, 1 << 30, 4))
        for seed in (0, 1)
        for clip in ("00ff" * 6, "00fe" * 6)
        for epoch in (0, 1, 2)
    }
    assert len(set(draws.values())) == len(draws)
    again = sample_rng(1, "00fe" * 6, 2).integers(0, 1 << 30, 4)
    assert np.array_equal(again, draws[1, "00fe" * 6, 2])


def test_an_empty_set_has_no_order() -> None:
    with pytest.raises(ValueError, match="one clip"):
        Order(seed=0, clips=0)
