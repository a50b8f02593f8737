"""Every metric on one page: its name, unit, direction, source, and the function that computes it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from manifests.motion import Pose
from models.evaluation.metrics import beats
from models.evaluation.metrics.accuracy import THRESHOLDS, mean_error, pck, pcm
from models.evaluation.metrics.body import Voice
from models.evaluation.metrics.collection import Collection, NotMeasured
from models.evaluation.metrics.diversity import l1_shuffled, l2_pairs
from models.evaluation.metrics.frechet import expected_bias, frechet_distance
from models.evaluation.metrics.lips import lip_agreement, lip_error
from models.evaluation.metrics.pictures import Film, psnr, ssim
from models.evaluation.metrics.smoothness import bone_error, bone_variation, jerk, jitter, speed
from models.evaluation.metrics.windows import FRAMES

Better = Literal["higher", "lower", "closer to truth"]
Need = Literal["pose", "truth", "voice", "frames"]


@dataclass(frozen=True, slots=True)
class Item:
    """What one motion is measured on, all at 25 FPS and of equal lengths.

    truth: the true pose of the same voice; None where the motion was made of another. frames, true_frames: of systems
    that make some and of clips that have a video.
    """

    pose: Pose
    truth: Pose | None
    voice: Voice
    frames: Film | None = None
    true_frames: Film | None = None


Compute = Callable[[Item], float | None]


@dataclass(frozen=True, slots=True)
class Metric:
    """What is measured on one clip.

    better: as its source reads it, or "closer to truth" where more is no better than real. needs: parts of an item
    without which `compute` is None. compute: None means not measured, never 0. lacking: what a clip without a value
    lacks, in words.
    """

    unit: str
    better: Better
    needs: frozenset[Need]
    source: str
    definition: str
    compute: Compute
    lacking: str

    @property
    def paired(self) -> bool:
        """Whether it compares with the truth of the same voice."""
        return "truth" in self.needs


@dataclass(frozen=True, slots=True)
class SetMetric:
    """What is measured on a set of clips.

    Features are the encoder's: their values compare only under one fingerprint, to be written beside them. compute:
    None means not measured; to be asked only where `missing` finds nothing. least: windows that it takes. coded:
    whether it takes the encoder. lacking: what a set without a value lacks.
    """

    unit: str
    better: Better
    source: str
    definition: str
    compute: Callable[[Collection], float | None]
    least: int
    coded: bool
    lacking: str = ""

    def missing(self, drawn: Collection) -> NotMeasured | None:
        """Why the set cannot be measured, known before anything is computed."""
        if drawn.windows < self.least:
            return NotMeasured(f"it takes {counted(self.least)}, there {are(drawn.windows)}")
        return drawn.encoder if self.coded and isinstance(drawn.encoder, NotMeasured) else None

    def measure(self, drawn: Collection) -> float | NotMeasured:
        """The value, or why there is none."""
        if missing := self.missing(drawn):
            return missing
        value = self.compute(drawn)
        return NotMeasured(f"it takes {self.lacking}") if value is None else value


def counted(windows: int) -> str:
    """A number of windows in words."""
    return f"{windows} {'window' if windows == 1 else 'windows'} of {FRAMES} frames"


def are(windows: int) -> str:
    """How many windows there are, with the verb."""
    return f"{'is' if windows == 1 else 'are'} {windows or 'none'}"


POSE: frozenset[Need] = frozenset({"pose"})
PAIRED: frozenset[Need] = frozenset({"pose", "truth"})
HEARD: frozenset[Need] = frozenset({"pose", "voice"})
SEEN: frozenset[Need] = frozenset({"frames", "truth"})


def _against_truth(measure: Callable[[Pose, Pose], float | None]) -> Compute:
    return lambda item: None if item.truth is None else measure(item.pose, item.truth)


def _alone(measure: Callable[[Pose], float | None]) -> Compute:
    return lambda item: measure(item.pose)


def _with_voice(measure: Callable[[Pose, Voice], float | None]) -> Compute:
    return lambda item: measure(item.pose, item.voice)


def _seen(measure: Callable[[Film, Film], float | None]) -> Compute:
    def compute(item: Item) -> float | None:
        if item.frames is None or item.true_frames is None:
            return None
        return measure(item.frames, item.true_frames)

    return compute


PAIRED_JOINTS = "a joint, and shoulders, known in both"
LIMB = "a limb whose ends are known in two frames"
LIPS = "a second of moving lips"


def _pck(name: str) -> Metric:
    limit = THRESHOLDS[name]
    return Metric(
        "fraction", "higher", PAIRED, "Yang & Ramanan 2013; EMO2 (2501.10687) names no threshold",
        f"Jointly known joints nearer to the truth than {limit.distance:g} {limit.unit}.",
        _against_truth(partial(pck, threshold=name)), PAIRED_JOINTS,
    )  # fmt: skip


def _beats(name: str) -> Metric:
    variant = beats.VARIANTS[name]
    sides = ("motion beats", "onsets") if variant.over == "motion" else ("onsets", "motion beats")
    rate = 3.0 if variant.over == "motion" else 1.2
    chance = beats.chance_level(rate, variant.sigma)
    return Metric(
        "score", "higher", HEARD, variant.source,
        f"Mean over {sides[0]} of a Gaussian of the time to the nearest of {sides[1]}, sigma {variant.sigma:g} s; "
        f"{chance:.2f} by chance at 3 onsets and 1.2 motion beats a second.",
        _with_voice(variant), "an onset in the voice and a beat in the motion",
    )  # fmt: skip


METRICS: dict[str, Metric] = {
    "mean_error": Metric(
        "px", "lower", PAIRED, "common", "Mean distance of jointly known joints to the truth.",
        _against_truth(mean_error), PAIRED_JOINTS,
    ),
    "pck_tenth": _pck("tenth"),
    "pck_fifth": _pck("fifth"),
    "pck_half": _pck("half"),
    "pck_5px": _pck("5px"),
    "pck_10px": _pck("10px"),
    "pck_20px": _pck("20px"),
    "pcm": Metric(
        "fraction", "higher", PAIRED,
        "DiffSHEG's code in 2D; Contextual Gesture (2502.07239), whose threshold is not stated",
        "Gesture joints, each from its root, nearer to the truth than half a shoulder width.",
        _against_truth(pcm), PAIRED_JOINTS,
    ),
    "speed": Metric(
        "shoulder widths/s", "closer to truth", POSE, "common", "Mean speed of the gesture joints.",
        _alone(speed), "a joint known in two frames in a row",
    ),
    "jitter": Metric(
        "px/frame^3", "closer to truth", POSE, "common", "Mean size of the third difference of the gesture joints.",
        _alone(jitter), "a joint known in four frames in a row",
    ),
    "jerk": Metric(
        "shoulder widths/s^3", "closer to truth", POSE, "common", "Jitter, blind to size and frame rate.",
        _alone(jerk), "a joint known in four frames in a row",
    ),
    "bone_error": Metric(
        "ratio", "lower", PAIRED, "common; 2D, so gesture itself changes lengths",
        "Mean relative difference of the limbs' median lengths to the truth's.",
        _against_truth(bone_error), LIMB,
    ),
    "bone_variation": Metric(
        "ratio", "closer to truth", POSE, "common; 2D, so gesture itself changes lengths",
        "Mean over limbs of the deviation of their length over time by its mean.",
        _alone(bone_variation), LIMB,
    ),
    "lips_truth": Metric(
        "correlation", "higher", PAIRED, "ours", "Lip opening with the true one, at no lag.",
        _against_truth(lambda pose, truth: lip_agreement(pose, truth).now), LIPS,
    ),
    "lips_truth_best": Metric(
        "correlation", "higher", PAIRED, "ours", "The same at the best lag within 5 frames; above 0 by chance.",
        _against_truth(lambda pose, truth: lip_agreement(pose, truth).best), LIPS,
    ),
    "lips_voice": Metric(
        "correlation", "closer to truth", HEARD, "ours", "Lip opening with the voice's loudness in dB, at no lag.",
        _with_voice(lambda pose, voice: lip_agreement(pose, voice).now), f"{LIPS} under a voice",
    ),
    "lips_voice_best": Metric(
        "correlation", "closer to truth", HEARD, "ours", "The same at the best lag within 5 frames; above 0 by chance.",
        _with_voice(lambda pose, voice: lip_agreement(pose, voice).best), f"{LIPS} under a voice",
    ),
    "lip_error": Metric(
        "fraction of the largest opening", "lower", PAIRED, "SpeechDrivesTemplates, released code (lip_sync_error_n)",
        "Mean difference of lip openings by the clip's largest true one.",
        _against_truth(lip_error), "true lips that open",
    ),
    "beats_mint": _beats("mint"),
    "beats_mint_25fps": _beats("mint_25fps"),
    "beats_diffgesture": _beats("diffgesture"),
    "beats_emage": _beats("emage"),
    "beats_talkshow": _beats("talkshow"),
    "psnr": Metric(
        "dB", "higher", SEEN, "common, on RGB of 8 bits",
        "Mean over frames of the peak signal-to-noise ratio to the recorded frames, at most 100 dB, at their size.",
        _seen(psnr), "a recorded frame beside a generated one",
    ),
    "ssim": Metric(
        "similarity", "higher", SEEN, "Wang et al. 2004; scikit-image's, Gaussian windows of sigma 1.5",
        "Mean over frames and channels of the structural similarity to the recorded frames, at their size.",
        _seen(ssim), "a recorded frame beside a generated one",
    ),
}  # fmt: skip
"""On one clip each."""


def _fgd(drawn: Collection) -> float:
    return frechet_distance(drawn.generated.codes(), drawn.truth.codes())


def _hands(drawn: Collection) -> float | None:
    known = [value for value in drawn.hands if value is not None]
    return float(np.mean(known)) if known else None


SETS: dict[str, SetMetric] = {
    "fgd": SetMetric(
        "code^2", "lower", "SpeechDrivesTemplates' encoder on the points of Weakly Supervised Motion Learning and IMAC",
        "Frechet distance of the codes of generated and true windows; only under one encoder's fingerprint.",
        _fgd, 2, True,
    ),
    "fgd_floor": SetMetric(
        "code^2", "lower", "ours", "FGD of random halves of the truth: what no difference looks like.",
        lambda drawn: expected_bias(drawn.truth.codes(), seed=drawn.seed), 4, True,
    ),
    "diversity_l1_shuffled": SetMetric(
        "code", "closer to truth", "DiffGesture, released code (Weakly Supervised Motion Learning and IMAC)",
        "Mean L1 distance of codes to the same codes in another order.",
        lambda drawn: l1_shuffled(drawn.generated.codes(), seed=drawn.seed), 2, True,
    ),
    "diversity_l1_within": SetMetric(
        "shoulder widths", "closer to truth", "EMAGE's L1Div, released code",
        "Mean over frames of the L1 distance of all values to their window's mean.",
        lambda drawn: drawn.generated.within.value(), 1, False,
    ),
    "diversity_pairwise": SetMetric(
        "shoulder widths", "closer to truth", "DiffSHEG, released code",
        "Mean absolute difference per value of pairs of windows, in batches of 50.",
        lambda drawn: drawn.generated.pairs.value(), 2, False,
    ),
    "diversity_l2_pairs": SetMetric(
        "code", "closer to truth", "HumanML3D, released code",
        "Mean L2 distance of 300 random pairs of codes; not measured below 300 windows.",
        lambda drawn: l2_pairs(drawn.generated.codes(), seed=drawn.seed), 300, True,
    ),
    "diversity_hands": SetMetric(
        "shoulder widths", "closer to truth", "EMO2's (2501.10687) DIV, whose formula is not stated",
        "Mean distance of the hands between samples for the same voice, then over voices.",
        _hands, 0, False, "several motions of one voice that show hands and shoulders",
    ),
}  # fmt: skip
"""On a set of clips each; all but the hands' on windows of 64 frames."""
