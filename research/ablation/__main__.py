"""`make ablation`: Yang et al. 2025's ablations on synthetic data whose truth is known, in minutes on one core.

    python -m research.ablation

The paper's Table 3 asks three questions of its method, by networks that read lips from made videos and compare faces.
Here they are asked of skeletons whose truth is known (`world.py`), on people whom no network has seen:

- audio joined by features against cross-attention. Sync-C there 6.28 against 0.77; here by how much more the lips
  follow the right voice than a wrong one, and the hand the right beats;
- local against global coordinates. There 6.28 against 0.49; here by the lips;
- with against without the reference skeleton. There CSIM 0.82 against 0.57; here by the error of the bones' lengths.

Fixed before the first run: the world and its seed, the three seeds of training, the budget (`training.Budget`), the
measures and the eight claims of `CLAIMS`, all at guidance 2. A claim of an order holds where the whole interval of the
difference is above 0, and is contradicted where it is below; the paper's word for a row is not made to come true by
changing any of these.

Two controls, each the world without that from which an order could come:

- `deaf`: another voice than the one heard moved the body. Whichever way audio enters there is nothing in it: features
  and cross-attention must both be at chance, in lips and hands.
- `alike`: one body for all, in one place, without sway. Every root but the wrists stands still, so that local places
  are global places less a constant, which normalisation takes away from face and arms: the lips must follow alike. And
  the one body is learned from anybody: the reference skeleton can add nothing to it.

A difference has vanished where its whole interval is within `Measure.equal` of 0.

Intervals are 95 % by bootstrap over (training, person). Three trainings are few: each one's difference stands beside
it. All conditions get the same steps, batch, width and rate; not the same parameters or seconds, which are printed.
Cross-attention has more of both.
"""

import argparse
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from pipeline.perception.resampling import Interval, bootstrap
from research.ablation.measures import Scores, scores_of, spread_of_modes
from research.ablation.training import (
    Budget,
    Condition,
    encoded,
    generated,
    test_clips,
    train_clips,
    trained,
)  # fmt: skip
from research.ablation.world import Clip, World, mouth_shape

WORLD_SEED = 405
SEEDS = (1, 2, 3)
SCALES = (2.0, 1.0)
"""Of guidance; claims are judged at the first."""
BUDGET = Budget()
WORLDS = {
    "world": World(WORLD_SEED),
    "deaf": World(WORLD_SEED, linked=False),
    "alike": World(WORLD_SEED, bodies=False, sway=False),
}
CONDITIONS = {
    each.name: each
    for each in (
        Condition("paper"),
        Condition("cross", audio_conditioning="cross"),
        Condition("global", local=False),
        Condition("no_reference", reference=False),
    )
}


@dataclass(frozen=True, slots=True)
class Measure:
    """What is compared. better: 1 where more is better, -1 where less is. equal: a difference that means nothing."""

    name: str
    of: Callable[[Scores], float]
    better: float
    equal: float


LIPS = Measure("lips follow the voice", lambda scores: scores.follows, 1.0, 0.10)
HANDS = Measure("hand on the beat", lambda scores: scores.on_beat, 1.0, 0.10)
BODY = Measure("body, pixels", lambda scores: scores.body, -1.0, 2.0)


@dataclass(frozen=True, slots=True)
class Claim:
    """That the paper's method beats `other` in a world, or, where `vanishes`, that it does not matter there."""

    world: str
    other: str
    measure: Measure
    vanishes: bool = False

    def judged(self, gain: Interval) -> str:
        """gain: of the paper's method over the other."""
        if not self.vanishes:
            if gain.low > 0.0:
                return "as in the paper"
            return "against the paper" if gain.high < 0.0 else "not told apart"
        if max(-gain.low, gain.high) < self.measure.equal:
            return "vanishes"
        return "does not vanish" if gain.low > 0.0 or gain.high < 0.0 else "undecided"


CLAIMS = (
    Claim("world", "cross", LIPS),
    Claim("world", "cross", HANDS),
    Claim("world", "global", LIPS),
    Claim("world", "no_reference", BODY),
    Claim("deaf", "cross", LIPS, vanishes=True),
    Claim("deaf", "cross", HANDS, vanishes=True),
    Claim("alike", "global", LIPS, vanishes=True),
    Claim("alike", "no_reference", BODY, vanishes=True),
)
"""The second is ours, by the same reasoning: the paper does not measure hands."""


@dataclass(frozen=True, slots=True)
class Key:
    """One training and one guidance."""

    world: str
    condition: str
    scale: float
    seed: int


@dataclass(slots=True)
class Results:
    """scores: by training, clip by clip in one order. people: of those clips. cost: CPU seconds of training."""

    scores: dict[Key, list[Scores]]
    truth: dict[str, list[Scores]]
    people: list[str]
    cost: dict[str, list[float]]
    parameters: dict[str, int]

    def groups(self, seeds: Sequence[int]) -> list[str]:
        """Whom each score is of, seed after seed."""
        return [f"{seed}/{person}" for seed in seeds for person in self.people]

    def mean(
        self, world: str, condition: str, scale: float, of: Callable[[Scores], float]
    ) -> Interval:
        """Over all seeds, people and clips."""
        found = [
            of(scores)
            for seed in SEEDS
            for scores in self.scores[Key(world, condition, scale, seed)]
        ]
        return bootstrap(np.array(found), groups=self.groups(SEEDS), seed=0)

    def gain(self, claim: Claim, seeds: Sequence[int]) -> Interval:
        """Of the paper's method over the other, clip by clip."""
        found: list[float] = []
        for seed in seeds:
            ours, theirs = (
                self.scores[Key(claim.world, name, SCALES[0], seed)]
                for name in ("paper", claim.other)
            )
            pairs = zip(ours, theirs, strict=True)
            of, better = claim.measure.of, claim.measure.better
            found += [better * (of(our) - of(their)) for our, their in pairs]
        return bootstrap(np.array(found), groups=self.groups(seeds), seed=0)


def main() -> None:
    """The command."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    results = everything()
    print("\n".join([*table(results), "", *verdicts(results), "", *costs(results)]))


def everything() -> Results:
    """Every training that a claim asks for."""
    results = Results({}, {}, [], {}, {})
    for name, world in WORLDS.items():
        clips, tests = train_clips(world, BUDGET), test_clips(world, BUDGET)
        wanted = {"paper", *(claim.other for claim in CLAIMS if claim.world == name)}
        asked = without_spare(tests)
        results.truth[name] = scored([clip.pose for clip in asked], asked)
        results.people = [str(clip.person) for clip in asked]
        for condition in (each for each in CONDITIONS.values() if each.name in wanted):
            seen, statistics = encoded(clips, condition.skeleton)
            test, _ = encoded(tests, condition.skeleton, statistics)
            for seed in SEEDS:
                before = cpu_seconds()
                network = trained(condition, seen, BUDGET, seed=seed)
                results.cost.setdefault(condition.name, []).append(cpu_seconds() - before)
                results.parameters[condition.name] = sum(p.numel() for p in network.parameters())
                for scale in SCALES:
                    poses = generated(
                        network, test, statistics, condition, budget=BUDGET, scale=scale, seed=seed
                    )
                    results.scores[Key(name, condition.name, scale, seed)] = scored(poses, asked)
                note = f"{name}, {condition.name}, seed {seed}: {cpu_seconds():.0f} CPU-s in all"
                print(note, file=sys.stderr, flush=True)
    return results


def without_spare(clips: tuple[Clip, ...]) -> list[Clip]:
    """Of each person all test clips but the last, which only lends a reference frame."""
    each = BUDGET.test_clips + 1
    return [clip for place, clip in enumerate(clips) if place % each != each - 1]


def scored(poses: Sequence[np.ndarray], truth: Sequence[Clip]) -> list[Scores]:
    """Against the lips that the voice heard makes."""
    lips = np.stack([mouth_shape(clip.speech.phonemes)[:, 0] for clip in truth])
    return scores_of(poses, truth, lips=lips)


# ---- what is printed -----------------------------------------------------------------------------


def table(results: Results) -> list[str]:
    """One row for each world, condition and guidance, and for the truth."""
    lines = [
        "| world | condition | guidance | lips: own voice | wrong voice | own - wrong | beats: on time "
        "| wrong beats | on time - wrong | body error, px | beats with a stroke | modes in use |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for world in WORLDS:
        lines.append(row(f"{world} | truth |", [results.truth[world]], None))
        names = [
            each for each in CONDITIONS if Key(world, each, SCALES[0], SEEDS[0]) in results.scores
        ]
        for condition in names:
            for scale in SCALES:
                found = [results.scores[Key(world, condition, scale, seed)] for seed in SEEDS]
                bounds = [
                    results.mean(world, condition, scale, measure.of)
                    for measure in (LIPS, HANDS, BODY)
                ]
                lines.append(row(f"{world} | {condition} | {scale:g}", found, bounds))
    return lines


def row(head: str, found: list[list[Scores]], bounds: list[Interval] | None) -> str:
    """found: by seed. bounds: of lips, hands and body, None without."""
    every = [scores for of_seed in found for scores in of_seed]

    def mean(of: Callable[[Scores], float]) -> float:
        return float(np.mean([of(scores) for scores in every]))

    lips, hands, body = (
        [interval(each) for each in bounds]
        if bounds
        else [f"{mean(measure.of):.2f}" for measure in (LIPS, HANDS, BODY)]
    )
    modes = np.mean([spread_of_modes([m for s in of_seed for m in s.modes]) for of_seed in found])
    cells = [
        head, f"{mean(lambda s: s.mouth):.2f}", f"{mean(lambda s: s.wrong_mouth):.2f}", lips,
        f"{mean(lambda s: s.beats):.2f}", f"{mean(lambda s: s.wrong_beats):.2f}", hands, body,
        f"{mean(lambda s: s.moved):.2f}", f"{modes:.2f}",
    ]  # fmt: skip
    return f"| {' | '.join(cells)} |"


def verdicts(results: Results) -> list[str]:
    """One row for each claim."""
    lines = [
        "| world | paper's method against | by | expected | its gain | of each training | verdict |",
        "|---|---|---|---|---|---|---|",
    ]
    for claim in CLAIMS:
        gain = results.gain(claim, SEEDS)
        each = ", ".join(f"{results.gain(claim, (seed,)).mean:.2f}" for seed in SEEDS)
        expected = f"within {claim.measure.equal:g} of 0" if claim.vanishes else "above 0"
        lines.append(
            f"| {claim.world} | {claim.other} | {claim.measure.name} | {expected} | {interval(gain)} "
            f"| {each} | **{claim.judged(gain)}** |"
        )
    return lines


def costs(results: Results) -> list[str]:
    """Parameters and seconds of each condition, and of everything."""
    lines = ["| condition | parameters | CPU-s of a training, mean |", "|---|---|---|"]
    for name, seconds in results.cost.items():
        lines.append(f"| {name} | {results.parameters[name]:,} | {np.mean(seconds):.0f} |")
    return [
        *lines,
        "",
        f"{sum(map(len, results.cost.values()))} trainings of {BUDGET.steps} steps of {BUDGET.batch} clips; "
        f"{cpu_seconds() / 60.0:.1f} CPU-minutes in all (user and system time).",
    ]


def interval(found: Interval) -> str:
    """A mean and its bounds."""
    return f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}]"


def cpu_seconds() -> float:
    """User and system time of this process and its children so far."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    main()
