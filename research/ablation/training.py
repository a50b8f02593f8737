"""One network trained and sampled under one condition of the paper's ablations, all with the same budget."""

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from manifests.motion import Pose
from models.data.order import Order
from models.data.skeleton import Skeleton
from models.data.statistics import Statistics
from models.diffusion.sampling import Sampling
from models.systems.csg405.batches import Batch
from models.systems.csg405.condition import denoising_error, sample
from models.systems.csg405.configs import Noise, Size
from models.systems.csg405.model import SkeletonTransformer
from research.ablation.world import AUDIO, FRAMES, JOINTS, Clip, World, clip_of


@dataclass(frozen=True, slots=True)
class Condition:
    """One row of the paper's ablation table."""

    name: str
    audio_conditioning: Literal["features", "cross"] = "features"
    local: bool = True
    reference: bool = True

    @property
    def skeleton(self) -> Skeleton:
        """What the network sees. Nothing is smoothed: the made poses have no tremble."""
        return Skeleton(joints=JOINTS, local=self.local, smoothing=None)

    def build(self, size: Size) -> SkeletonTransformer:
        """A new network."""
        return SkeletonTransformer(
            self.skeleton.size, AUDIO, size.width, size.depth, size.heads, size.hidden,
            audio_conditioning=self.audio_conditioning, reference=self.reference,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Budget:
    """The same for every condition and world. Steps are what is equal, not seconds or parameters: these are printed.

    people, clips: of training and clips of each; test_people, test_clips: unseen bodies and colours of voice. The rate
    rises over `warmup` steps and falls as half a cosine to 0, which does what averaged weights would.
    """

    steps: int = 1_000
    batch: int = 8
    rate: float = 2e-3
    warmup: int = 100
    people: int = 96
    clips: int = 8
    test_people: int = 16
    test_clips: int = 6
    size: Size = field(default_factory=lambda: Size(width=64, depth=3, heads=4, hidden=256))
    noise: Noise = field(default_factory=Noise)


@dataclass(frozen=True, slots=True)
class Set:
    """Clips as a network sees them, values normalised by the training clips."""

    clips: tuple[Clip, ...]
    values: Float32[Tensor, "clip time size"]
    audio: Float32[Tensor, "clip time audio"]


TEST_FROM = 100_000
"""The number of the first person of the test; training begins at 0."""


def train_clips(world: World, budget: Budget) -> tuple[Clip, ...]:
    """All clips of the people of training."""
    return tuple(
        clip_of(world, person, clip) for person in range(budget.people) for clip in range(budget.clips)
    )  # fmt: skip


def test_clips(world: World, budget: Budget) -> tuple[Clip, ...]:
    """Those of people whom no network has seen, each with one clip more at its end, for the reference frame only."""
    return tuple(
        clip_of(world, TEST_FROM + person, clip)
        for person in range(budget.test_people)
        for clip in range(budget.test_clips + 1)
    )


def encoded(
    clips: tuple[Clip, ...], skeleton: Skeleton, statistics: Statistics | None = None
) -> tuple[Set, Statistics]:
    """statistics: None to take them from these clips. Audio has about unit size as it is."""
    rows = [skeleton.encode(clip.pose) for clip in clips]
    statistics = statistics or Statistics.of(rows, skeleton.size)
    values = np.stack([statistics.apply(values) for values, _ in rows])
    audio = np.stack([clip.audio for clip in clips])
    return Set(clips, torch.from_numpy(values), torch.from_numpy(audio)), statistics


def batch_of(seen: Set, step: int, *, seed: int, size: int) -> Batch:
    """The batch of a step: a pure function of its arguments. The reference is one frame from anywhere in the clip."""
    places = [place.clip for place in Order(seed, len(seen.clips)).batch(step, size)]
    random = np.random.Generator(np.random.Philox(key=[seed, 1 << 32 | step]))
    at = torch.from_numpy(random.integers(0, FRAMES, size))
    values = seen.values[places]
    return Batch(
        clips=tuple(f"{place}" for place in places),
        values=values,
        joint_mask=torch.ones_like(values, dtype=torch.bool),
        frame_mask=torch.ones(values.shape[:2], dtype=torch.bool),
        audio=seen.audio[places],
        reference=values[torch.arange(size), at][:, None],
        noise=torch.from_numpy(random.standard_normal(values.shape, dtype=np.float32)),
        uniforms=torch.from_numpy(random.random((size, 2), dtype=np.float32)),
    )


def trained(condition: Condition, seen: Set, budget: Budget, *, seed: int) -> SkeletonTransformer:
    """A network after `budget.steps` steps of the project's own loss. seed: of weights, order and noise."""
    torch.manual_seed(seed)
    network, schedule = condition.build(budget.size), budget.noise.schedule
    optimizer = torch.optim.AdamW(network.parameters(), budget.rate, weight_decay=0.0)
    for step in range(budget.steps):
        for group in optimizer.param_groups:
            group["lr"] = budget.rate * pace(step, budget)
        batch = batch_of(seen, step, seed=seed, size=budget.batch)
        loss = denoising_error(network, batch, budget.noise, schedule)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    return network.eval()


def pace(step: int, budget: Budget) -> float:
    """Share of the rate at a step."""
    falling = 0.5 + 0.5 * math.cos(math.pi * step / budget.steps)
    return min(1.0, (step + 1) / budget.warmup) * falling


@torch.no_grad()
def generated(
    network: SkeletonTransformer, seen: Set, statistics: Statistics, condition: Condition, *,
    budget: Budget, scale: float, seed: int,
) -> list[Pose]:  # fmt: skip
    """Motion for each test clip from its voice and the first frame of the person's spare clip, in pixels.

    seen: `test_clips`. Eight steps of DPM-Solver++; scale: of guidance.
    """
    each = budget.test_clips + 1
    places = torch.arange(len(seen.clips)).reshape(-1, each)
    spare = places[:, -1:].expand(-1, each - 1).flatten()
    asked = places[:, :-1].flatten()
    made = sample(
        network, seen.audio[asked], seen.values[spare, :1],
        noise=budget.noise, frames=FRAMES, how=Sampling(steps=8, scale=scale),
        generator=torch.Generator().manual_seed(seed),
    )  # fmt: skip
    return [condition.skeleton.decode(statistics.undo(rows)) for rows in made.numpy()]
