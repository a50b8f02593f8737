"""One evaluation for every system: clips that were held out, systems and baselines, every metric with its interval.

Paired: a clip's own voice and one of its poses in, its own motion is the truth. Unpaired: the same person, another
clip's voice. Matched against mismatched: does motion made from a voice fit the lips of that voice better than lips that
spoke another.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int16, Int64

from models.evaluation.baselines import MotionGenerator
from models.evaluation.metrics.autoencoder import MotionEncoder
from models.evaluation.metrics.body import together
from models.evaluation.metrics.frechet import frechet_distance
from models.evaluation.metrics.lips import lip_agreement
from models.evaluation.metrics.resampling import derangement, permutation_chance
from models.evaluation.metrics.table import LIPS, METRICS, SETS, Collection, NotMeasured
from models.evaluation.metrics.windows import gesture_windows
from pipeline.perception.resampling import Interval, bootstrap, bootstrap_statistic

Told = Callable[[int, int], None]
SHUFFLES = 5
"""Of the voices, for what chance gives."""
ONE_VOICE = "it takes two clips: the voice of one has no other"


@dataclass(frozen=True, slots=True)
class EvalClip:
    """A clip that is evaluated on. person: whom intervals are clustered by. reference: what generators see."""

    id: str
    person: str
    pose: Float32[np.ndarray, "_time 133 3"]
    sound: Int16[np.ndarray, " _samples"]
    features: Float[np.ndarray, "_time _audio"]
    reference: Float32[np.ndarray, "133 3"]


@dataclass(frozen=True, slots=True)
class Generated:
    """What one generator made of every clip: from its own voice, from another's, and several times from its own."""

    own: Sequence[Float32[np.ndarray, "_time 133 3"]]
    other: Sequence[Float32[np.ndarray, "_time 133 3"]]
    others: Sequence[int]
    samples: list[Float32[np.ndarray, "_samples _time 133 3"]]


@dataclass(frozen=True, slots=True)
class Row:
    """One metric of one generator.

    interval: None where nothing could be measured, for a reason; its bounds are NaN where there is a value and nothing
    to resample it over. measured: of how many clips, or windows of a set.
    """

    generator: str
    metric: str
    protocol: str
    interval: Interval | None
    measured: int
    reason: str = ""


def make(
    clips: Sequence[EvalClip],
    generator: MotionGenerator,
    *,
    seed: int,
    samples: int = 1,
    told: Told = lambda done, of: None,
) -> Generated:
    """Every clip's motion from its own voice and from another clip's; the pairing is a function of the seed.

    samples: motions drawn for each voice, for the diversity of hands; one for none.
    """
    others = (
        derangement(len(clips), np.random.default_rng(seed)) if len(clips) > 1 else np.zeros(1, int)
    )
    own, other, several = [], [], []
    for number, clip in enumerate(clips):
        own.append(generator(clip.features, clip.sound, clip.reference, seed + number))
        voice = clips[int(others[number])]
        other.append(generator(voice.features, voice.sound, clip.reference, seed + number))
        again = [
            generator(clip.features, clip.sound, clip.reference, seed + number + len(clips) * more)
            for more in range(1, samples)
        ]
        if again:
            several.append(np.stack([own[-1], *again]))
        told(number + 1, len(clips))
    return Generated(own, other, [int(each) for each in others], several)


def measure(
    name: str,
    clips: Sequence[EvalClip],
    made: Generated,
    *,
    seed: int,
    encoder: MotionEncoder | NotMeasured,
) -> list[Row]:
    """Every metric of one generator: paired, unpaired, matched against mismatched, by chance, and on the set.

    What the clips are too few or too short for has a row too, with the reason. encoder: of the codes that sets of
    windows are compared in, or why there is none.
    """
    people = [clip.person for clip in clips]
    rows: list[Row] = []
    for metric, how in METRICS.items():
        own = [
            how.compute(pose, clip.pose, clip.sound)
            for pose, clip in zip(made.own, clips, strict=True)
        ]
        rows.append(_row(name, metric, "paired", own, people, seed, how.needs))
        if how.paired:
            continue
        if len(clips) < 2:
            rows.append(Row(name, metric, "unpaired", None, 0, ONE_VOICE))
            continue
        other = [
            how.compute(pose, None, clips[voice].sound)
            for pose, voice in zip(made.other, made.others, strict=True)
        ]
        rows.append(_row(name, metric, "unpaired", other, people, seed, how.needs))
    rows += _matched(name, clips, made, people, seed)
    rows += _by_chance(name, clips, made, seed)
    return rows + _sets(name, clips, made, encoder, seed)


def _row(
    name: str,
    metric: str,
    protocol: str,
    values: Sequence[float | None],
    people: Sequence[str],
    seed: int,
    needs: str,
) -> Row:
    held = [
        (value, person) for value, person in zip(values, people, strict=True) if value is not None
    ]
    if not held:
        return Row(name, metric, protocol, None, 0, f"no clip has {needs}")
    numbers = np.array([value for value, _ in held])
    interval = bootstrap(numbers, groups=[person for _, person in held], seed=seed)
    return Row(name, metric, protocol, bounded(interval), len(held))


def bounded(interval: Interval) -> Interval:
    """An interval that says something: bounds that coincide, of one person or of equal values, become NaN."""
    if interval.high - interval.low > 1e-9 * abs(interval.mean):
        return interval
    return replace(interval, low=np.nan, high=np.nan)


def interval_of(people: int) -> str:
    """What the intervals of a table are of, in words. people: in its clips."""
    if people < 2:
        return f"none over people: there is one; of chance over {SHUFFLES} shuffles of the voices"
    narrow = ", too narrow below ten" if people < 10 else ""
    return f"95 %, bootstrap over {people} people{narrow}; of chance over {SHUFFLES} shuffles of the voices"


def _matched(
    name: str, clips: Sequence[EvalClip], made: Generated, people: Sequence[str], seed: int
) -> list[Row]:
    """Agreement of the lips with the true lips of the voice they were made from, less that with the person's own clip.

    matched audio: own voice, own lips. mismatched: another's voice, own lips. A mouth that does not
    depend on the voice has equal ones.
    """
    protocols = ("matched audio", "mismatched audio", "matched minus mismatched")
    if len(clips) < 2:
        return [Row(name, "lips_truth", protocol, None, 0, ONE_VOICE) for protocol in protocols]
    right = [followed(pose, clip.pose) for pose, clip in zip(made.own, clips, strict=True)]
    wrong = [followed(pose, clip.pose) for pose, clip in zip(made.other, clips, strict=True)]
    apart = [None if a is None or b is None else a - b for a, b in zip(right, wrong, strict=True)]
    return [
        _row(name, "lips_truth", protocol, values, people, seed, f"{LIPS} in the truth")
        for protocol, values in zip(protocols, (right, wrong, apart), strict=True)
    ]


def followed(
    pose: Float32[np.ndarray, "_one 133 3"], truth: Float32[np.ndarray, "_other 133 3"]
) -> float | None:
    """Correlation of the lips with the true ones, 0 for a mouth that does not move; None where the truth's do not."""
    pose, truth = together_poses(pose, truth)
    if lip_agreement(truth, truth).now is None:
        return None
    return lip_agreement(pose, truth).now or 0.0


def together_poses(
    one: Float32[np.ndarray, "_one 133 3"], other: Float32[np.ndarray, "_other 133 3"]
) -> tuple[np.ndarray, np.ndarray]:
    """Both cut to the shorter length."""
    frames = min(len(one), len(other))
    return one[:frames], other[:frames]


def _by_chance(name: str, clips: Sequence[EvalClip], made: Generated, seed: int) -> list[Row]:
    """Metrics of motion and voice where each motion meets another clip's voice."""
    rows: list[Row] = []
    pairs = list(zip(made.own, [clip.sound for clip in clips], strict=True))
    for metric, how in METRICS.items():
        if how.paired or not (metric.startswith(("beats", "lips"))):
            continue
        if len(clips) < 2:
            rows.append(Row(name, metric, "chance", None, 0, ONE_VOICE))
            continue

        def score(pose: np.ndarray, sound: np.ndarray, how=how) -> float | None:
            return how.compute(*_cut(pose, sound))

        try:
            chance = permutation_chance(score, pairs, seed=seed, draws=SHUFFLES)
            rows.append(Row(name, metric, "chance", bounded(chance), len(clips)))
        except ValueError:
            rows.append(Row(name, metric, "chance", None, 0, f"no clip has {how.needs}"))
    return rows


def _cut(pose: np.ndarray, sound: np.ndarray) -> tuple[np.ndarray, None, np.ndarray]:
    pose, sound = together(pose, sound)
    return pose, None, sound


def _sets(
    name: str,
    clips: Sequence[EvalClip],
    made: Generated,
    encoder: MotionEncoder | NotMeasured,
    seed: int,
) -> list[Row]:
    windows = [gesture_windows(p, like=c.pose) for p, c in zip(made.own, clips, strict=True)]
    true = [gesture_windows(clip.pose) for clip in clips]
    drawn = Collection(np.concatenate(windows), np.concatenate(true), encoder, made.samples, seed)
    rows: list[Row] = []
    for metric, how in SETS.items():
        value = how.measure(drawn)
        if isinstance(value, NotMeasured):
            rows.append(Row(name, metric, "set", None, drawn.windows, value.reason))
            continue
        interval = Interval(value, np.nan, np.nan, drawn.windows)
        if metric == "fgd":
            interval = fgd_interval(
                value, windows, true, drawn.motion_encoder(), [c.person for c in clips], seed=seed
            )
        rows.append(Row(name, metric, "set", interval, drawn.windows))
    return rows


def fgd_interval(
    value: float,
    generated: Sequence[np.ndarray],
    truth: Sequence[np.ndarray],
    encoder: MotionEncoder,
    people: Sequence[str],
    *,
    seed: int,
    draws: int = 200,
) -> Interval:
    """The FGD `value` with its bounds where people are redrawn, each with all their clips; NaN for one person.

    generated, truth: windows of each clip; people: whose each is. A draw of fewer than two windows is left out.
    """
    codes = [[encoder.encode(part) for part in side] for side in (generated, truth)]
    names = sorted(set(people))
    clips = [[i for i, person in enumerate(people) if person == name] for name in names]

    def redrawn(chosen: Int64[np.ndarray, " people"]) -> float:
        drawn = [clip for person in chosen for clip in clips[person]]
        one, other = (np.concatenate([side[clip] for clip in drawn]) for side in codes)
        return frechet_distance(one, other) if min(len(one), len(other)) > 1 else float("nan")

    low, high = bootstrap_statistic(redrawn, people=len(names), seed=seed, draws=draws)
    return bounded(Interval(value, float(low), float(high), len(names)))


# ---- the table -------------------------------------------------------------------------------------------------------


def markdown(rows: Sequence[Row], facts: Mapping[str, object]) -> str:
    """One line per metric and protocol, one column per generator: the mean, and its 95 % interval where it has one.

    What is not measured stands below with its reason.
    """
    generators = list(dict.fromkeys(row.generator for row in rows))
    held = {(row.metric, row.protocol, row.generator): row for row in rows}
    lines = list(dict.fromkeys((row.metric, row.protocol) for row in rows))
    text = [f"{name}: {value}  " for name, value in facts.items()]
    text += ["", f"| metric | protocol | {' | '.join(generators)} | unit, better |"]
    text += ["|---|---|" + "---|" * (len(generators) + 1)]
    for metric, protocol in lines:
        cells = [_cell(held.get((metric, protocol, generator))) for generator in generators]
        kind = METRICS[metric] if metric in METRICS else SETS[metric]
        text.append(f"| {metric} | {protocol} | {' | '.join(cells)} | {kind.unit}, {kind.better} |")
    text += _unmeasured(rows, generators)
    text += ["", "| metric | what it is | source |", "|---|---|---|"]
    for metric in dict.fromkeys(metric for metric, _ in lines):
        kind = METRICS[metric] if metric in METRICS else SETS[metric]
        text.append(f"| {metric} | {kind.definition} | {kind.source} |")
    return "\n".join(text) + "\n"


def _unmeasured(rows: Sequence[Row], generators: Sequence[str]) -> list[str]:
    """A line for each metric and protocol that is not measured, with whose it is and why."""
    whose: dict[tuple[str, str, str], list[str]] = {}
    for row in rows:
        if row.interval is None:
            whose.setdefault((row.metric, row.protocol, row.reason), []).append(row.generator)
    if not whose:
        return []
    text = ["", "| not measured | protocol | of | why |", "|---|---|---|---|"]
    for (metric, protocol, reason), names in whose.items():
        every = len(names) == len(generators)
        text.append(
            f"| {metric} | {protocol} | {'all' if every else ', '.join(names)} | {reason} |"
        )
    return text


def _cell(row: Row | None) -> str:
    if row is None:
        return ""
    if row.interval is None:
        return "not measured"
    mean, low, high = row.interval.mean, row.interval.low, row.interval.high
    return f"{mean:.3g}" if np.isnan(low) else f"{mean:.3g} [{low:.3g}, {high:.3g}]"


def as_json(rows: Sequence[Row], facts: Mapping[str, object]) -> str:
    """The same for programs."""
    told = [asdict(row) for row in rows]
    return json.dumps({"facts": dict(facts), "rows": told}, indent=1).replace("NaN", "null") + "\n"


def plot(rows: Sequence[Row], file: Path, metrics: Sequence[tuple[str, str]]) -> None:
    """Mean and interval of some (metric, protocol) for each generator, as a picture."""
    from matplotlib.figure import Figure

    generators = list(dict.fromkeys(row.generator for row in rows))
    held = {(row.metric, row.protocol, row.generator): row for row in rows}
    figure = Figure(
        figsize=(3.2 * len(metrics), 0.45 * len(generators) + 1.4), layout="constrained"
    )
    for place, (metric, protocol) in enumerate(metrics):
        axes = figure.add_subplot(1, len(metrics), place + 1)
        for line, generator in enumerate(generators):
            row = held.get((metric, protocol, generator))
            if row is None or row.interval is None:
                continue
            interval = row.interval
            axes.plot([interval.low, interval.high], [line, line], color="#4060a0", linewidth=3)
            axes.plot([interval.mean], [line], "o", color="#202020")
        axes.set_yticks(
            range(len(generators)), generators if place == 0 else [""] * len(generators)
        )
        axes.set_ylim(len(generators) - 0.5, -0.5)
        axes.set_title(f"{metric}\n{protocol}", fontsize=9)
        axes.grid(axis="x", alpha=0.3)
    figure.savefig(file, dpi=120)
