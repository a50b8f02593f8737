"""What each sync backend is worth on real footage, beside the plain correlation of opening and
loudness.

    python -m benchmarks.sync_offsets --media FOLDER [--weights FOLDER] [--cache FOLDER]

FOLDER holds the clips named in `CLIPS`: one talking person each, recorded with their own voice.
Nothing is known of the offset that a clip came with (two clips of one conversation are 7 frames
late), so none is assumed to be right. Instead:

- halves: the offset is measured in the first half of a clip, then again in the second half whose
sound was moved by a planted number of frames. Right: the second is the first plus the planted one,
within a frame. Chance: 3 of 31. - voices: each face is measured with every other clip's voice. A
confidence means something if it is higher with the own voice; AUC 0.5: it is not.

Nothing in the backends was set on the second half or on other voices; what was set on these people
is said in the docs.
"""

import argparse
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32, Int16, UInt8

from manifests.geometry import SAMPLES_PER_FRAME
from manifests.record import FaceSample
from pipeline.media.audio import read_audio
from pipeline.media.decode import Count, span
from pipeline.media.probe import probe
from pipeline.perception.faces import FaceDetector
from pipeline.perception.pose import MediaPipePose
from pipeline.perception.sync import BACKENDS, Lips, Scorer, SyncBackend, SyncScore
from pipeline.perception.sync.activespeaker import FACE_MARGIN, FACE_SIZE
from pipeline.perception.sync.interface import REACH, heard_at, offsets
from pipeline.run.frames import face_square

CLIPS = (
    *("dinet_test19.mp4", "hdtf_WDA_AOC.mp4", "latentsync_demo2.mp4", "panda_CpO_paJZ9bI.mp4"),
    *("svid_dialogue_case1_1.mp4", "svid_dialogue_case1_2.mp4", "svid_full_body_1.mp4"),
    *(
        "svid_full_body_2.mp4",
        "svid_half_body_1.mp4",
        "svid_half_body_2.mp4",
        "svid_half_body_3.mp4",
    ),
    *(
        "svid_head_4.mp4",
        "svid_side_1.mp4",
        "svid_side_2.mp4",
        "talkvid_10.mp4",
        "wav2lip_test.mov",
    ),
    *("tango_1wrQ6Msp7wM.mp4", "tango_speaker12_BVHw8aCPATM.mp4", "tango_speaker9_o7Ik1OB4TaE.mp4"),
    "wan22_animate_oliver_1080p.mp4",
)
LONGEST = 250  # frames of a clip that are used
EVERY = 5  # frames between two looks for the face, as in a survey
SHORTEST_HALF = 50


@dataclass(frozen=True, slots=True)
class Clip:
    """One person and their voice."""

    name: str
    pose: Float32[np.ndarray, "time 133 3"]
    faces: UInt8[np.ndarray, "time size size 3"]
    sound: Int16[np.ndarray, " samples"]

    def __len__(self) -> int:
        """Frames."""
        return len(self.pose)

    def lips(self, start: int, stop: int) -> Lips:
        """What a backend is shown of a stretch."""
        return Lips(faces=self.faces[start:stop], pose=self.pose[start:stop])

    def heard(self, start: int, stop: int, *, late: int = 0) -> Int16[np.ndarray, " samples"]:
        """The sound of a stretch and 15 frames around it, as if the voice came `late` frames
        later.
        """
        low, high = start - REACH - late, stop + REACH - late
        return self.sound[low * SAMPLES_PER_FRAME : high * SAMPLES_PER_FRAME]


# ---- clips ---------------------------------------------------------------------------------------


def read(file: Path) -> Clip:
    """Decode, find the face now and then, follow the joints: as the pipeline does."""
    media = probe(file)
    stop = min(LONGEST, media.audible[1])
    pictures = [
        picture
        for _, picture in span(file, media, media.timeline, start=0, stop=stop, count=Count())
    ]
    finder = FaceDetector().load()
    looks = [(at, finder(pictures[at].rgb())) for at in range(0, stop, EVERY)]
    path = tuple(
        FaceSample(frame=at, box=found[0].box, score=found[0].score) for at, found in looks if found
    )
    size = (FACE_SIZE, FACE_SIZE)
    squares = [face_square(path, at, margin=FACE_MARGIN) for at in range(stop)]
    faces = [picture.cut(square, size) for picture, square in zip(pictures, squares, strict=True)]
    with MediaPipePose().track() as track:
        pose = [track(picture.rgb()) for picture in pictures]
    sound = read_audio(file, media, start=0, stop=stop)
    return Clip(file.name, np.stack(pose), np.stack(faces), sound)


def clips(media: Path, cache: Path | None) -> Iterator[Clip]:
    """Every clip that is there, from the cache where it was read before."""
    for name in CLIPS:
        kept = cache / f"{name}.npz" if cache else None
        if kept and kept.is_file():
            arrays = np.load(kept)
            yield Clip(name, arrays["pose"], arrays["faces"], arrays["sound"])
        elif (media / name).is_file():
            clip = read(media / name)
            if kept:
                np.savez(kept, pose=clip.pose, faces=clip.faces, sound=clip.sound)
            yield clip


# ---- the plain baseline --------------------------------------------------------------------------


def plain(lips: Lips, sound: Int16[np.ndarray, " samples"], *, margin: int) -> SyncScore:
    """Correlation of lip opening and loudness; confidence: the peak less the median over the
    offsets.
    """
    inner = lips.pose[:, 23 + 60 : 23 + 68, :2].astype(np.float64)
    opening = np.linalg.norm(inner[:, 2] - inner[:, 6], axis=1)
    wave = sound.astype(np.float64).reshape(-1, SAMPLES_PER_FRAME)
    loudness = np.sqrt((wave**2).mean(axis=1))
    curve = np.array(
        [
            np.corrcoef(opening, loudness[heard_at(lag, len(opening), margin=margin)])[0, 1]
            if opening.std() > 0.0
            else 0.0
            for lag in offsets()
        ]
    )
    best = int(np.argmax(curve))
    return SyncScore(best - REACH, float(curve[best] - np.median(curve)), float(curve[best]))


# ---- measurements --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Halves:
    """Second half against first: by how many frames it is off, and how sure the second was."""

    error: int
    confidence: float


def halves(clip: Clip, score: Scorer, plants: tuple[int, ...]) -> Iterator[Halves]:
    """Planted offsets in the second half, judged by the first; nothing for a clip too short for
    it.
    """
    first, last = 2 * REACH, len(clip) - 2 * REACH
    middle = (first + last) // 2
    if middle - first < SHORTEST_HALF:
        return
    own = score(clip.lips(first, middle), clip.heard(first, middle), margin=REACH).offset
    for late in plants:
        if abs(own + late) > REACH:
            continue
        found = score(clip.lips(middle, last), clip.heard(middle, last, late=late), margin=REACH)
        yield Halves(found.offset - own - late, found.confidence)


def voices(
    cast: list[Clip], score: Scorer, *, others: int
) -> tuple[list[SyncScore], list[SyncScore]]:
    """Scores of each face with its own voice, and with the voices of the next `others` clips."""
    own, foreign = [], []
    for at, clip in enumerate(cast):
        for step in range(others + 1):
            voice = cast[(at + step) % len(cast)]
            stop = min(len(clip), len(voice)) - REACH
            if stop - REACH >= SHORTEST_HALF:
                found = score(clip.lips(REACH, stop), voice.heard(REACH, stop), margin=REACH)
                (foreign if step else own).append(found)
    return own, foreign


def auc(own: list[float], foreign: list[float]) -> float:
    """Chance that one of the own is above one of the foreign."""
    a, b = np.array(own)[:, None], np.array(foreign)
    return float((a > b).mean() + 0.5 * (a == b).mean())


def right(found: list[Halves], *, within: int, surest: float = 1.0) -> float:
    """Share of right offsets among the surest part."""
    ordered = sorted(found, key=lambda half: -half.confidence)[: max(1, round(surest * len(found)))]
    return sum(abs(half.error) <= within for half in ordered) / len(ordered)


# ---- the table -----------------------------------------------------------------------------------

COLUMNS = (
    "backend | halves | exact | within 1 | surest half within 1 | AUC confidence | AUC speaking"
    " | own speaking, quartiles | other speaking, quartiles | CPU s per s"
)


def quartiles(scores: list[SyncScore]) -> str:
    """Speaking: quarter, median, three quarters."""
    values: Float[np.ndarray, 3] = np.quantile([one.speaking for one in scores], [0.25, 0.5, 0.75])
    return " ".join(f"{value:.2f}" for value in values)


def row(name: str, score: Scorer, cast: list[Clip], plants: tuple[int, ...], *, others: int) -> str:
    """One line of the table."""
    begun, watched = time.process_time(), 0.0
    tested = [half for clip in cast for half in halves(clip, score, plants)]
    own, foreign = voices(cast, score, others=others)
    watched = sum(min(len(clip), LONGEST) for clip in cast) / 25.0
    spent = time.process_time()
    for clip in cast:
        score(
            clip.lips(REACH, len(clip) - REACH), clip.heard(REACH, len(clip) - REACH), margin=REACH
        )
    per_second = (time.process_time() - spent) / watched
    logging.info("%s took %.0f s", name, time.process_time() - begun)
    values = (
        name,
        f"{len(tested)}",
        f"{right(tested, within=0):.2f}",
        f"{right(tested, within=1):.2f}",
        f"{right(tested, within=1, surest=0.5):.2f}",
        f"{auc([s.confidence for s in own], [s.confidence for s in foreign]):.2f}",
        f"{auc([s.speaking for s in own], [s.speaking for s in foreign]):.2f}",
        quartiles(own),
        quartiles(foreign),
        f"{per_second:.3f}",
    )
    return " | ".join(values)


def by_confidence(
    score: Scorer, cast: list[Clip], plants: tuple[int, ...], steps: tuple[float, ...]
) -> str:
    """Share of right offsets, and of other voices let through, from each confidence on."""
    tested = [half for clip in cast for half in halves(clip, score, plants)]
    _, foreign = voices(cast, score, others=len(cast) - 1)
    lines = ["from | halves | exact | within 1 | within 2 | other voices"]
    for step in steps:
        kept = [half for half in tested if half.confidence >= step]
        passed = sum(one.confidence >= step for one in foreign) / len(foreign)
        shares = [f"{right(kept, within=w):.2f}" if kept else "-" for w in (0, 1, 2)]
        lines.append(" | ".join((f"{step:.1f}", f"{len(kept)}", *shares, f"{passed:.3f}")))
    return "\n".join(lines)


def runnable(weights: Path | None) -> Iterator[SyncBackend]:
    """The backends that can run on these clips here."""
    for name, make in BACKENDS.items():
        backend = make(weights=weights)
        lacking = backend.missing()
        if lacking is None and backend.face_size in (None, FACE_SIZE):
            yield backend
        else:
            logging.info("%s left out: %s", name, lacking or "another face size")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--media", type=Path, required=True)
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--cache", type=Path)
    parser.add_argument(
        "--plants", type=int, default=5, help="planted offsets per clip, spread over -10 to 10"
    )
    parser.add_argument("--others", type=int, default=3, help="foreign voices per face")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    plants = tuple(int(late) for late in np.linspace(-10, 10, chosen.plants).round())
    cast = list(clips(chosen.media, chosen.cache))
    print(f"{len(cast)} clips, planted {plants}")
    print(COLUMNS)
    print(row("plain", plain, cast, plants, others=chosen.others), flush=True)
    for backend in runnable(chosen.weights):
        print(row(backend.name, backend.load(), cast, plants, others=chosen.others), flush=True)
    print("\nembedded by confidence")
    embedded = BACKENDS["embedded"]().load()
    print(by_confidence(embedded, cast, plants, (0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0)))


if __name__ == "__main__":
    main()
