"""The small network of lips and voice: torch and numpy agree, and it learns what made mouths say."""

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.perception.sync import lipnet
from pipeline.perception.sync.interface import REACH
from pipeline.perception.sync.lipnet import INPUTS, LipNet
from pipeline.perception.sync.mfcc import BANDS, STEPS_PER_FRAME
from research.truth.sync_net import Example, Pair, Training, alike, trained, write

SMALL = Training(members=1, steps=60, batch=6, frames=40, width=16, code=4, drop=0.1, shaken=0.1)


def examples(people: int, *, frames: int = 140) -> list[Example]:
    """Mouths that open with the loudness of some bands, at the same time."""
    random = np.random.default_rng(0)
    found: list[Example] = []
    for person in range(people):
        level = np.convolve(random.normal(size=frames * STEPS_PER_FRAME), np.hanning(21), "same")
        power = np.exp(np.outer(level, np.linspace(1.0, 2.0, BANDS))).astype(np.float32) * 1e4
        moved = random.normal(0.0, 0.2, (frames, INPUTS))
        moved[:, 15:40] += level[::STEPS_PER_FRAME, None]
        found.append(Example(f"person {person}", moved.astype(np.float32), power, 0.0))
    return found


def test_the_forward_pass_of_numpy_is_that_of_torch() -> None:
    torch.manual_seed(0)
    network = Pair(Training()).eval()
    tensors = network.picture.tensors() | network.voice.tensors()
    random = np.random.default_rng(0)
    moved = random.normal(size=(60, INPUTS)).astype(np.float32)
    bands = random.normal(size=((60 + 2 * REACH) * STEPS_PER_FRAME, BANDS)).astype(np.float32)
    ours = LipNet((tensors,)).curve(moved, bands, margin=REACH)
    with torch.no_grad():
        mouths = network.picture(torch.from_numpy(moved).T[None])
        voices = network.voice(torch.from_numpy(bands).T[None])
        theirs = alike(mouths, voices)[0, 0].numpy()
    np.testing.assert_allclose(ours[::STEPS_PER_FRAME], theirs, atol=2e-5)


def test_it_learns_whose_voice_and_when(tmp_path: Path) -> None:
    some = examples(8)
    write(trained(some[:6], SMALL), tmp_path / "net.npz")
    with np.load(tmp_path / "net.npz") as stored:
        member = {name.partition("/")[2]: stored[name].astype(np.float32) for name in stored.files}
    network, (one, other) = LipNet((member,)), some[6:]
    voices = [lipnet.loudness(each.power, floor=1e-4) for each in (one, other)]
    own, foreign = (network.curve(one.moved[REACH:-REACH], voice, margin=REACH) for voice in voices)
    assert abs(int(own.argmax()) - REACH * STEPS_PER_FRAME) <= STEPS_PER_FRAME
    assert own.max() > foreign.max() + 0.1


def test_the_same_training_gives_the_same_network() -> None:
    short = Training(members=1, steps=2, batch=2, frames=40, width=8, code=2)
    first, second = (trained(examples(2), short).members[0] for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_one_person_alone_makes_no_contrast() -> None:
    with pytest.raises(ValueError, match="needs two people with 83 frames, got 1"):
        trained(examples(1), SMALL)
