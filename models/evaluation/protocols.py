"""What is asked of a generator, clip by clip: every metric under every protocol. Of a clip only its scalars are kept.

Paired: a clip's own voice and one of its poses in, its own motion is the truth. Unpaired: the same person, another
clip's voice. Matched against mismatched: does motion made from a voice fit the lips of that voice better than lips that
spoke another. Chance: the motion meets the voices of other clips.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, Float64, Int16, Int64

from models.evaluation.clips import EvalClip
from models.evaluation.metrics.autoencoder import MotionEncoder
from models.evaluation.metrics.body import together
from models.evaluation.metrics.collection import Collection, NotMeasured, WindowSet
from models.evaluation.metrics.diversity import hands
from models.evaluation.metrics.frechet import Moments, frechet_of_moments
from models.evaluation.metrics.lips import lip_agreement
from models.evaluation.metrics.resampling import derangement
from models.evaluation.metrics.table import LIPS, METRICS, SETS, Item, Metric
from models.evaluation.metrics.windows import gesture_windows
from models.evaluation.report import SHUFFLES, Row, bounded
from models.infer.generator import Motion
from pipeline.perception.resampling import Interval, bootstrap_statistic, percentile_bounds

ONE_VOICE = "it takes two clips: the voice of one has no other"
MATCHED = ("matched audio", "mismatched audio", "matched minus mismatched")
FGD_DRAWS = 200

Sound = Int16[np.ndarray, " _samples"]
Pose = Float32[np.ndarray, "_time 133 3"]


@dataclass(frozen=True, slots=True)
class Pairing:
    """Whose voice each clip meets, a function of the seed. shuffles: for what chance gives, none of them its own.

    others, the voices of the unpaired motions, are the first of them. No shuffles where there is one clip.
    """

    shuffles: Int64[np.ndarray, "_shuffles _clips"]

    @classmethod
    def of(cls, clips: int, *, seed: int) -> "Pairing":
        if clips < 2:
            return cls(np.zeros((0, clips), np.int64))
        random = np.random.default_rng(seed)
        return cls(np.stack([derangement(clips, random) for _ in range(SHUFFLES)]))

    def partners(self, number: int) -> list[int]:
        """The clips whose voices one meets, by shuffle."""
        return [int(each) for each in self.shuffles[:, number]]


@dataclass(frozen=True, slots=True)
class Made:
    """What one generator made of one clip: from its own voice, from another's, and again from its own.

    other: None where there is one clip. deterministic: `again` is empty as it would be the same.
    """

    own: Motion
    other: Pose | None
    again: Sequence[Pose] = ()
    deterministic: bool = False


@dataclass
class Scores:
    """What is kept of one generator: a number per clip, metric and protocol, and the codes of its windows.

    people: whose each clip is, as numbers. truth: the windows of the true motions, which all generators share. A
    generator that is the truth itself (`name`) adds to them. shown: whether it makes frames, and a clip has a video.
    """

    name: str
    people: Int64[np.ndarray, " clips"]
    truth: WindowSet
    encoder: MotionEncoder | NotMeasured
    seed: int
    values: dict[tuple[str, str], Float64[np.ndarray, " clips"]] = field(init=False)
    chance: dict[str, Float64[np.ndarray, "_shuffles clips"]] = field(init=False)
    collection: Collection = field(init=False)
    makes_frames: bool = field(default=False, init=False)
    has_videos: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        clips = len(self.people)
        self.values = defaultdict(lambda: np.full(clips, np.nan))
        self.chance = {
            metric: np.full((SHUFFLES, clips), np.nan) for metric in METRICS if by_chance(metric)
        }
        self.collection = Collection(
            WindowSet(self.encoder), self.truth, self.encoder, seed=self.seed
        )

    # ---- a clip ------------------------------------------------------------------------------------------------------

    def add(self, number: int, clip: EvalClip, made: Made, partners: Sequence[Sound]) -> None:
        """Measure what was made of one clip. partners: the voices it meets by shuffle; `made.other` is of the first."""
        self.makes_frames |= made.own.frames is not None
        self.has_videos |= clip.film is not None
        own = _item(clip, made.own)
        other = None if made.other is None else Item(made.other, None, partners[0])
        for metric, how in METRICS.items():
            self._keep(number, metric, "paired", how.compute(own))
            if other is not None and not how.paired:
                self._keep(number, metric, "unpaired", how.compute(other))
        self._matched(number, clip, made)
        self._by_chance(number, made.own.pose, partners)
        self.collection.generated.add(gesture_windows(made.own.pose, like=clip.pose))
        if made.again or made.deterministic:
            again = made.again or [made.own.pose]
            self.collection.hands.append(hands(np.stack([made.own.pose, *again])))

    def _keep(self, number: int, metric: str, protocol: str, value: float | None) -> None:
        if value is not None:
            self.values[metric, protocol][number] = value

    def _matched(self, number: int, clip: EvalClip, made: Made) -> None:
        """Agreement of the lips with the true lips of the voice they were made from, less that with the person's own.

        matched audio: own voice, own lips. mismatched: another's voice, own lips. A mouth that does not depend on the
        voice has equal ones.
        """
        if made.other is None:
            return
        right, wrong = followed(made.own.pose, clip.pose), followed(made.other, clip.pose)
        apart = None if right is None or wrong is None else right - wrong
        for protocol, value in zip(MATCHED, (right, wrong, apart), strict=True):
            self._keep(number, "lips_truth", protocol, value)

    def _by_chance(self, number: int, pose: Pose, partners: Sequence[Sound]) -> None:
        """Metrics of motion and voice where the motion meets another clip's voice."""
        for shuffle, sound in enumerate(partners):
            pose_part, sound_part = together(pose, sound)
            item = Item(pose_part, None, sound_part)
            for metric, values in self.chance.items():
                value = METRICS[metric].compute(item)
                if value is not None:
                    values[shuffle, number] = value

    # ---- all clips ---------------------------------------------------------------------------------------------------

    def rows(self) -> list[Row]:
        """Every metric: paired, unpaired, matched against mismatched, by chance, and on the set.

        What the clips are too few or too short for has a row too, with the reason.
        """
        alone = len(self.people) < 2
        rows: list[Row] = []
        for metric, how in METRICS.items():
            rows.append(self._row(metric, "paired", self._lacking(how)))
            if not how.paired:
                rows.append(
                    self._row(metric, "unpaired", ONE_VOICE if alone else self._lacking(how))
                )
        lacking = ONE_VOICE if alone else f"no clip has {LIPS} in the truth"
        rows += [self._row("lips_truth", protocol, lacking) for protocol in MATCHED]
        rows += [self._chance_row(metric) for metric in self.chance]
        return rows + [self._set_row(metric) for metric in SETS]

    def _lacking(self, how: Metric) -> str:
        if "frames" in how.needs and not self.makes_frames:
            return "it makes no frames"
        if "frames" in how.needs and not self.has_videos:
            return "no clip has a video"
        return f"no clip has {how.lacking}"

    def _row(self, metric: str, protocol: str, reason: str) -> Row:
        values = self.values[metric, protocol]
        known = np.isfinite(values)
        if not known.any():
            return Row(self.name, metric, protocol, None, 0, reason)
        interval = over_people(values[known], self.people[known], seed=self.seed)
        return Row(self.name, metric, protocol, interval, int(known.sum()))

    def _chance_row(self, metric: str) -> Row:
        if len(self.people) < 2:
            return Row(self.name, metric, "chance", None, 0, ONE_VOICE)
        shuffles = [values[np.isfinite(values)] for values in self.chance[metric]]
        means = np.array([values.mean() for values in shuffles if len(values)])
        if not len(means):
            return Row(self.name, metric, "chance", None, 0, self._lacking(METRICS[metric]))
        low, high = percentile_bounds(means)
        interval = bounded(Interval(float(means.mean()), float(low), float(high), len(means)))
        return Row(self.name, metric, "chance", interval, len(self.people))

    def _set_row(self, metric: str) -> Row:
        drawn = self.collection
        value = SETS[metric].measure(drawn)
        if isinstance(value, NotMeasured):
            return Row(self.name, metric, "set", None, drawn.windows, value.reason)
        interval = Interval(value, np.nan, np.nan, drawn.windows)
        if metric == "fgd":
            interval = fgd_interval(value, drawn, self.people, seed=self.seed)
        return Row(self.name, metric, "set", interval, drawn.windows)


def by_chance(metric: str) -> bool:
    """Whether a metric is of motion and voice, so that another voice is what chance gives."""
    return "voice" in METRICS[metric].needs


def _item(clip: EvalClip, motion: Motion) -> Item:
    frames = motion.frames
    film = None if frames is None else lambda: iter(frames)
    return Item(motion.pose, clip.pose, clip.sound, film, clip.film)


def over_people(
    values: Float64[np.ndarray, " n"], people: Int64[np.ndarray, " n"], *, seed: int
) -> Interval:
    """The mean of all values, its bounds where people are redrawn, each with all their values; NaN for one person."""
    names, member = np.unique(people, return_inverse=True)
    total, size = np.bincount(member, weights=values), np.bincount(member)
    low, high = np.nan, np.nan
    if len(names) > 1:
        low, high = bootstrap_statistic(
            lambda drawn: total[drawn].sum() / size[drawn].sum(), people=len(names), seed=seed
        )
    return bounded(Interval(float(values.mean()), float(low), float(high), len(names)))


def fgd_interval(
    value: float, drawn: Collection, people: Int64[np.ndarray, " clips"], *, seed: int
) -> Interval:
    """The FGD `value` with its bounds where people are redrawn, each with all their clips; NaN for one person.

    people: whose each clip is; who has no window does not count. A draw of fewer than two windows is left out.
    """
    owners = [side.owners(people) for side in (drawn.generated, drawn.truth)]
    names = np.unique(np.concatenate(owners))
    if len(names) < 2:
        return Interval(value, np.nan, np.nan, len(names))
    middle = drawn.truth.codes().mean(axis=0, dtype=np.float64)
    ours, theirs = (
        Moments.of(side.codes(), np.searchsorted(names, whose), len(names), around=middle)
        for side, whose in zip((drawn.generated, drawn.truth), owners, strict=True)
    )

    def redrawn(chosen: Int64[np.ndarray, " people"]) -> float:
        times = np.bincount(chosen, minlength=len(names)).astype(np.float64)
        found = frechet_of_moments(ours, theirs, times)
        return float("nan") if found is None else found

    low, high = bootstrap_statistic(redrawn, people=len(names), seed=seed, draws=FGD_DRAWS)
    return bounded(Interval(value, float(low), float(high), len(names)))


def followed(pose: Pose, truth: Pose) -> float | None:
    """Correlation of the lips with the true ones, 0 for a mouth that does not move; None where the truth's do not."""
    frames = min(len(pose), len(truth))
    pose, truth = pose[:frames], truth[:frames]
    if lip_agreement(truth, truth).now is None:
        return None
    return lip_agreement(pose, truth).now or 0.0
