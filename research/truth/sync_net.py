"""The small network of `pipeline.perception.sync.lipnet`, trained on people whose voice and picture belong together.

Each step takes one stretch of several people. Two questions are asked of the likeness of a mouth with voices: at which
of 31 offsets is the own voice (where the clip's own offset is known), and which of the batch's voices is it, at
whatever offset. Few people are at hand, so what is asked of the network is made harder in ways that change neither
answer: the picture mirrored, turned, stretched and shaken, the voice's bands moved, weighed, hidden and given noise,
both faster or slower together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor, nn
from torch.nn import functional

from manifests.files import replacing
from pipeline.perception.sync.interface import REACH
from pipeline.perception.sync.lipnet import (
    INPUTS,
    PICTURE,
    POINTS,
    VOICE,
    LipNet,
    Stack,
    loudness,
)
from pipeline.perception.sync.mfcc import BANDS, STEPS_PER_FRAME

MIRRORED = {
    **{5: 11, 6: 10, 7: 9, 8: 8, 9: 7, 10: 6, 11: 5},
    **{48: 54, 49: 53, 50: 52, 51: 51, 52: 50, 53: 49, 54: 48, 55: 59, 56: 58, 57: 57, 58: 56, 59: 55},
    **{60: 64, 61: 63, 62: 62, 63: 61, 64: 60, 65: 67, 66: 66, 67: 65},
}  # fmt: skip
"""Each face joint's place in the mirror (iBUG's order of 68)."""
OTHER_SIDE = [POINTS.index(MIRRORED[point]) for point in POINTS]
FLOORS = (1e-5, 1e-4, 1e-3, 1e-2)
"""Of the mean power, what counts as silence: one of them each time, as if a room were noisier."""


@dataclass(frozen=True, slots=True)
class Training:
    """How the networks are trained. members: as many, from other beginnings; frames: of a stretch; drop: of channels.

    Chosen on people of `fit` by leaving a third of them out (`sync_fit`), among five settings.
    """

    members: int = 3
    steps: int = 400
    batch: int = 16
    frames: int = 100
    width: int = 48
    code: int = 16
    drop: float = 0.4
    shaken: float = 0.3
    learning_rate: float = 2e-3
    weight_decay: float = 0.05


@dataclass(frozen=True, slots=True)
class Example:
    """One clip. moved: of `lipnet.moved`; power: of the mel bands; late: frames by which its voice is late, None where
    that is not known."""

    person: str
    moved: Float32[np.ndarray, "time 54"]
    power: Float32[np.ndarray, "step 26"]
    late: float | None

    def heard(self, random: np.random.Generator) -> Float32[np.ndarray, "step 26"]:
        """The voice as the network takes it, in a room of some noise."""
        return loudness(self.power, floor=float(random.choice(FLOORS)))


class Layers(nn.Module):
    """One stack, with the names of `lipnet.forward`."""

    def __init__(self, name: str, stack: Stack, size: int, training: Training) -> None:
        super().__init__()
        self.name, self.stack = name, stack
        self.convolutions, self.norms = nn.ModuleList(), nn.ModuleList()
        self.drop = nn.Dropout(training.drop)
        for kind, taps, step in stack:
            into = size if kind == "in" else training.width
            out = training.code if kind == "out" else training.width
            reach = step * (taps // 2)
            self.convolutions.append(nn.Conv1d(into, out, taps, padding=reach, dilation=step))
            self.norms.append(nn.LayerNorm(training.width) if kind == "mix" else nn.Identity())

    def forward(self, rows: Tensor) -> Tensor:
        """(batch, feature, time) to (batch, code, time)."""
        for (kind, _, _), convolution, norm in zip(
            self.stack, self.convolutions, self.norms, strict=True
        ):
            if kind == "mix":
                scaled = norm(rows.transpose(1, 2)).transpose(1, 2)
                rows = rows + self.drop(functional.gelu(convolution(scaled)))
            else:
                rows = convolution(rows)
                rows = self.drop(functional.gelu(rows)) if kind == "in" else rows
        return rows

    def tensors(self) -> dict[str, np.ndarray]:
        """As `lipnet.forward` reads them."""
        found: dict[str, Tensor] = {}
        for number, (kind, _, _) in enumerate(self.stack):
            key = f"{self.name}.{number}"
            convolution, norm = self.convolutions[number], self.norms[number]
            assert isinstance(convolution, nn.Conv1d) and convolution.bias is not None
            found |= {f"{key}.weight": convolution.weight, f"{key}.bias": convolution.bias}
            if kind == "mix":
                assert isinstance(norm, nn.LayerNorm)
                found |= {f"{key}.scale": norm.weight, f"{key}.shift": norm.bias}
        return {key: value.detach().numpy() for key, value in found.items()}


class Pair(nn.Module):
    """Both stacks, and how sharply likeness is turned into a choice among offsets and among voices."""

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.picture = Layers("picture", PICTURE, INPUTS, training)
        self.voice = Layers("voice", VOICE, BANDS, training)
        self.sharp = nn.Parameter(torch.full((2,), 2.5))

    def forward(self, moved: Tensor, bands: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (mouth, offset) of the own voices and (mouth, voice) over all offsets, from (batch, feature, time)."""
        mouths, voices = self.picture(moved), self.voice(bands)
        likeness = alike(mouths, voices)
        own = likeness.diagonal().T
        offsets, who = self.sharp.exp()
        return own * offsets, torch.logsumexp(likeness * who, dim=-1)


def alike(mouths: Tensor, voices: Tensor) -> Tensor:
    """Likeness of each mouth with each voice at each whole offset, (mouth, voice, offset); as `LipNet.curve`."""
    frames, per = mouths.shape[-1], STEPS_PER_FRAME
    whole = _centred(mouths)
    shifted = [
        _centred(voices[:, :, start : start + per * frames : per])
        for start in range(0, 2 * REACH * per + 1, per)
    ]
    return torch.stack([torch.einsum("met,vet->mv", whole, one) for one in shifted], dim=-1)


def _centred(rows: Tensor) -> Tensor:
    rows = rows - rows.mean(dim=-1, keepdim=True)
    return rows / (rows.square().sum(dim=(1, 2), keepdim=True).sqrt() + 1e-3)


# ---- examples --------------------------------------------------------------------------------------------------------


def drawn(
    one: Example, training: Training, random: np.random.Generator
) -> tuple[Float32[np.ndarray, "time 54"], Float32[np.ndarray, "step 26"]]:
    """A stretch of a clip, changed at random; its voice from 15 frames before to 15 after, its own lateness undone."""
    pace = random.uniform(0.88, 1.12)
    last = len(one.moved) - int(np.ceil(training.frames * pace)) - REACH - 3
    first = int(random.integers(REACH + 2, max(last, REACH + 3)))
    moved = at_times(one.moved, first + np.arange(training.frames) * pace)
    steps = (
        np.arange(STEPS_PER_FRAME * (training.frames + 2 * REACH)) - STEPS_PER_FRAME * REACH
    ) * pace
    bands = at_times(one.heard(random), (first + (one.late or 0.0)) * STEPS_PER_FRAME + steps)
    return shaken(moved, training, random), disguised(bands, random)


def at_times(rows: Float32[np.ndarray, "time feature"], times: np.ndarray) -> np.ndarray:
    """Rows between rows; before the first and after the last these repeat."""
    times = np.clip(times, 0, len(rows) - 1)
    below = np.floor(times).astype(int)
    part = (times - below)[:, None]
    return rows[below] * (1.0 - part) + rows[np.minimum(below + 1, len(rows) - 1)] * part


def shaken(moved: np.ndarray, training: Training, random: np.random.Generator) -> np.ndarray:
    """Mirrored or not, stretched, turned a little, every joint with noise."""
    joints = moved.reshape(len(moved), len(POINTS), 2)
    if random.random() < 0.5:
        joints = joints[:, OTHER_SIDE] * np.array([-1.0, 1.0])
    angle = random.normal(0.0, 0.08)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    joints = joints * random.uniform(0.8, 1.25, 2) @ turn
    return joints.reshape(moved.shape) + random.normal(0.0, training.shaken, moved.shape)


def disguised(bands: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Formants moved by up to a band, bands weighed, given noise, sometimes four of them hidden."""
    places = np.clip(np.arange(BANDS) + random.uniform(-1.0, 1.0), 0, BANDS - 1)
    below = np.floor(places).astype(int)
    part = places - below
    moved = bands[:, below] * (1.0 - part) + bands[:, np.minimum(below + 1, BANDS - 1)] * part
    moved = moved * random.uniform(0.8, 1.25, BANDS) + random.normal(0.0, 0.1, moved.shape)
    if random.random() < 0.3:
        first = int(random.integers(0, BANDS - 4))
        moved[:, first : first + 4] = 0.0
    return moved


# ---- training --------------------------------------------------------------------------------------------------------


def trained(
    examples: Sequence[Example],
    training: Training = Training(),
    *,
    on_progress: Callable[[int, int, float], None] = lambda member, step, loss: None,
) -> LipNet:
    """Networks of these people. Raises ValueError where fewer than two of them have a clip that is long enough."""
    least = training.frames * 1.12 + 2 * REACH + 8
    by_person: dict[str, list[Example]] = {}
    for one in examples:
        if len(one.moved) >= least:
            by_person.setdefault(one.person, []).append(one)
    if len(by_person) < 2:
        raise ValueError(
            f"a contrast needs two people with {least:.0f} frames, got {len(by_person)}"
        )
    people = [by_person[name] for name in sorted(by_person)]
    return LipNet(
        tuple(_member(people, training, number, on_progress) for number in range(training.members))
    )


def _member(
    people: Sequence[Sequence[Example]],
    training: Training,
    number: int,
    on_progress: Callable[[int, int, float], None],
) -> dict[str, np.ndarray]:
    torch.manual_seed(number)
    random = np.random.default_rng(number)
    network = Pair(training).train()
    optimizer = torch.optim.AdamW(
        network.parameters(), training.learning_rate, weight_decay=training.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, training.learning_rate, total_steps=training.steps
    )
    for step in range(training.steps):
        chosen = random.choice(len(people), training.batch, replace=len(people) < training.batch)
        clips = [people[at][int(random.integers(len(people[at])))] for at in chosen]
        loss = _loss(network, clips, training, random)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        on_progress(number, step, float(loss.detach()))
    network.eval()
    return network.picture.tensors() | network.voice.tensors()


def _loss(
    network: Pair, clips: Sequence[Example], training: Training, random: np.random.Generator
) -> Tensor:
    pairs = [drawn(one, training, random) for one in clips]
    moved, bands = (
        torch.from_numpy(np.stack(side).astype(np.float32)).transpose(1, 2)
        for side in zip(*pairs, strict=True)
    )
    offsets, who = network(moved, bands)
    names = [one.person for one in clips]
    same = torch.tensor(
        [[a == b and m != n for n, b in enumerate(names)] for m, a in enumerate(names)]
    )
    who = who.masked_fill(same, -1e9)
    own = torch.arange(len(clips))
    loss = 0.5 * (functional.cross_entropy(who, own) + functional.cross_entropy(who.T, own))
    known = torch.tensor([one.late is not None for one in clips])
    if known.any():
        middle = torch.full((int(known.sum()),), REACH)
        loss = loss + functional.cross_entropy(offsets[known], middle)
    return loss


def write(network: LipNet, file: Path) -> None:
    """As `lipnet.shipped` reads it, in half precision."""
    arrays = {
        f"{number}/{name}": value.astype(np.float16)
        for number, member in enumerate(network.members)
        for name, value in sorted(member.items())
    }
    with replacing(file) as half, half.open("wb") as stream:
        np.savez(stream, allow_pickle=False, **arrays)
