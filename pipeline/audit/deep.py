"""`csg-data doctor --deep`: each backend that claims to work is run on a second or two of the built-in sample.

Each runs in a process of its own, so that a library that dies takes nothing with it. The people are drawn and the
voices synthetic: what is found shows that a backend runs from its weights to its answer, not how good it is.
"""

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from rich.markup import escape

from manifests import keypoints as kp
from manifests.geometry import FPS, SAMPLES_PER_FRAME
from pipeline.audit.doctor import made, without_damaged
from pipeline.config import Run
from pipeline.perception.faces import FaceDetector
from pipeline.perception.pose import PoseBackend
from pipeline.perception.pose.mediapipe import MediaPipePose
from pipeline.perception.shots import Kind, ShotDetector
from pipeline.perception.speech import SpeechBackend
from pipeline.perception.sync import Lips, SyncBackend
from pipeline.stages.s040_shots import small_size

SECONDS = 3.0
"""Of the person; the first and last 15 frames are the margin of the sound that sync moves over."""
MARGIN = 15
SHOT_FRAMES = 50
"""Of two shots, half of them each."""
PATIENCE = 300.0
"""Seconds a backend may take, its weights and libraries included."""

Outcome = Literal["works", "fails", "not installed"]
COLOURS: dict[Outcome, str] = {"works": "green", "fails": "red", "not installed": "yellow"}


class NothingFound(RuntimeError):
    """A backend answered, but not with what is plainly in the sample."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What one backend did. note: what it found, why it fails, or how to get it."""

    kind: str
    name: str
    outcome: Outcome
    note: str
    seconds: float = 0.0


def trials(run: Run) -> Iterator[Trial]:
    """Each backend, tried where it claims to work."""
    listed = [(kind, one.name, one.missing()) for kind, one, _ in made(without_damaged(run))]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_material(folder, run)
        for kind, name, lacks in listed:
            if lacks is not None:
                yield Trial(kind, name, "not installed", lacks)
            else:
                yield in_process(kind, name, folder)


def in_process(kind: str, name: str, folder: Path, *, patience: float = PATIENCE) -> Trial:
    """One backend in a process of its own."""
    began = time.monotonic()
    words = [sys.executable, "-m", "pipeline.audit.deep", kind, name, str(folder)]
    try:
        done = subprocess.run(  # noqa: S603 - our own words
            words, capture_output=True, text=True, check=False, timeout=patience
        )
    except subprocess.TimeoutExpired:
        return Trial(kind, name, "fails", f"no answer in {patience:g} s", patience)
    seconds = time.monotonic() - began
    said = (done.stdout if done.returncode == 0 else done.stderr).strip().splitlines()
    if done.returncode == 0 and said:
        return Trial(kind, name, "works", said[-1], seconds)
    note = said[-1] if said else f"its process ended with {done.returncode}"
    return Trial(kind, name, "fails", note, seconds)


def line(each: Trial) -> str:
    """One trial in a line, with rich's markup."""
    seconds = f"{each.seconds:.1f} s" if each.seconds else ""
    state = f"[{COLOURS[each.outcome]}]{each.outcome:13}[/]"
    return f"{each.kind:6}  {each.name:25}  {state}  {seconds:>7}  {escape(each.note)}"


# ---- the material ----------------------------------------------------------------------------------------------------


def write_material(folder: Path, run: Run) -> None:
    """Frames and sound of one person, frames of two shots, and the settings."""
    from pipeline.sample import cast, faults, film

    person = cast.TAKES[0]
    speech = film.speech_of(person, SECONDS)
    np.save(folder / "person.npy", np.stack(list(film.frames(film.Scene((person,), SECONDS)))))
    np.save(folder / "sound.npy", at_16_khz(speech.samples, speech.sample_rate))
    scene = film.Scene((faults.FIRST_SHOT, faults.SECOND_SHOT), SHOT_FRAMES / FPS)
    np.save(folder / "shots.npy", np.stack(list(film.frames(scene))))
    (folder / "run.json").write_text(without_damaged(run).model_dump_json(), encoding="utf-8")


def at_16_khz(samples: NDArray[np.float32], sample_rate: int) -> NDArray[np.int16]:
    """The sound as backends take it, as long as the frames."""
    import soxr

    sound = soxr.resample(samples, sample_rate, 16_000)
    wanted = round(SECONDS * FPS) * SAMPLES_PER_FRAME
    sound = np.pad(sound, (0, max(0, wanted - len(sound))))[:wanted]
    return np.clip(np.round(sound * 32_767.0), -32_768, 32_767).astype(np.int16)


# ---- one backend -----------------------------------------------------------------------------------------------------


def try_shots(detector: ShotDetector, folder: Path) -> str:
    """Two shots of a second each."""
    import cv2

    frames = np.load(folder / "shots.npy")
    size = small_size((frames.shape[2], frames.shape[1]), detector.long_side)
    code = cv2.COLOR_RGB2BGR if detector.coloured else cv2.COLOR_RGB2GRAY
    watcher = detector.start(Fraction(round(FPS)))
    for number, frame in enumerate(frames):
        watcher.add(
            number, cv2.resize(cv2.cvtColor(frame, code), size, interpolation=cv2.INTER_AREA)
        )
    starts = [part.first for part in watcher.finish() if part.kind is Kind.SHOT]
    if len(starts) != 2:
        raise NothingFound(f"{len(starts)} shots found where there are 2")
    return f"2 shots, the second from frame {starts[1]} (it begins with {SHOT_FRAMES // 2})"


def try_people(detector: FaceDetector, folder: Path) -> str:
    """Faces in five frames of a second."""
    looks = np.load(folder / "person.npy", mmap_mode="r")[:25:5]
    find = detector.load()
    counts = [len(find(np.ascontiguousarray(frame))) for frame in looks]
    if not any(counts):
        raise NothingFound(f"no face in {len(looks)} frames of a person")
    return f"a face in {sum(map(bool, counts))} of {len(looks)} frames"


def try_speech(backend: SpeechBackend, folder: Path) -> str:
    """A voice of three seconds."""
    found = backend.load()(np.load(folder / "sound.npy"))
    voiced = sum(stop - start for start, stop in found.voiced) / SECONDS
    if not voiced:
        raise NothingFound("no voice in 3 s of speech")
    words = [f"voiced fraction {voiced:.2f}", f"{len({turn[2] for turn in found.turns})} speaker"]
    if "overlaps" in backend.measures:
        overlap = sum(stop - start for start, stop in found.overlaps) / SECONDS
        words.append(f"overlapped fraction {overlap:.2f}")
    return ", ".join(words)


def try_pose(backend: PoseBackend, folder: Path) -> str:
    """One person for a second."""
    frames = np.load(folder / "person.npy", mmap_mode="r")[:25]
    pose = follow(backend, frames)
    seen = pose[..., 2] >= backend.valid_from
    if not seen.any():
        raise NothingFound(f"no joint in {len(frames)} frames of a person")
    shares = [f"{name} {seen[:, joints].mean():.2f}" for name, joints in kp.GROUPS.items()]
    return f"joints found: {seen.mean():.2f} of 133 ({', '.join(shares)})"


def try_sync(backend: SyncBackend, folder: Path) -> str:
    """Lips and voice of the same person, 1.8 s with sound on both sides."""
    frames = np.load(folder / "person.npy", mmap_mode="r")
    kept = slice(MARGIN, len(frames) - MARGIN)
    pose = person_pose(folder)[kept]
    size = backend.face_size
    faces = None if size is None else face_crops(frames[kept], size, backend.face_margin)
    score = backend.load()(Lips(faces, pose), np.load(folder / "sound.npy"), margin=MARGIN)
    if not np.isfinite([score.confidence, score.speaking, score.shift]).all():
        raise NothingFound(f"an answer that is no number: {score}")
    return (
        f"offset {score.offset:+d} frames, confidence {score.confidence:.2f}, speaking "
        f"{score.speaking:.2f} (drawn lips: that it runs, not that it is right)"
    )


def person_pose(folder: Path) -> NDArray[np.float32]:
    """The person's pose by MediaPipe, computed once for all sync backends."""
    file = folder / "pose.npy"
    if not file.is_file():
        np.save(file, follow(MediaPipePose(), np.load(folder / "person.npy", mmap_mode="r")))
    return np.load(file)


def follow(backend: PoseBackend, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The pose in each frame."""
    with backend.track() as tracker:
        parts = [
            tracker.many([np.ascontiguousarray(f) for f in some], [None] * len(some))
            for start in range(0, len(frames), backend.batch)
            if len(some := frames[start : start + backend.batch])
        ]
    return np.concatenate(parts)


def face_crops(frames: NDArray[np.uint8], size: int, margin: float) -> NDArray[np.uint8]:
    """Squares around the face of the middle frame, as a sync backend wants them."""
    import cv2

    faces = FaceDetector().load()(np.ascontiguousarray(frames[len(frames) // 2]))
    if not faces:
        raise NothingFound("no face in a frame of a person")
    left, top, width, height = max(faces, key=lambda face: face.box[3]).box
    half = height * (1.0 + 2.0 * margin) / 2.0
    scale = size / (2.0 * half)
    matrix = np.array(
        [
            [scale, 0.0, (half - left - width / 2.0) * scale],
            [0.0, scale, (half - top - height / 2.0) * scale],
        ]
    )
    cut = [cv2.warpAffine(frame, matrix, (size, size)) for frame in frames]
    return np.stack(cut).astype(np.uint8)


TRY: dict[str, Callable[..., str]] = {
    "shots": try_shots,
    "people": try_people,
    "speech": try_speech,
    "pose": try_pose,
    "sync": try_sync,
}


def main(kind: str, name: str, folder: Path) -> None:
    """Try one backend, and print what it found in one line. Raises whatever it raises."""
    run = Run.model_validate_json((folder / "run.json").read_bytes())
    backend = next(one for k, one, _ in made(run) if (k, one.name) == (kind, name))
    print(TRY[kind](backend, folder))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
