"""Real people and their voices for the truth about sync: faces, pose and sound of each clip, read once and kept.

Nobody's picture or sound leaves the cache folder; the clips are not part of the project.
"""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int16, UInt8

from manifests.files import replacing
from manifests.geometry import SAMPLES_PER_FRAME, crop_affine
from manifests.record import Box, FaceSample
from pipeline.media.audio import read_audio
from pipeline.media.decode import Count, span
from pipeline.media.probe import probe
from pipeline.perception.faces import FaceDetector, follow, with_looks
from pipeline.perception.pose import MediaPipePose
from pipeline.perception.sync import Lips
from pipeline.perception.sync.activespeaker import FACE_SIZE as MOUTH_SQUARE
from pipeline.perception.sync.activespeaker import LoadedActiveSpeaker
from pipeline.perception.sync.interface import REACH
from pipeline.run.frames import face_square
from pipeline.stages.s060_spans import region
from pipeline.stages.s070_pose import picture_size, to_upright
from research.cases import clips
from research.cast import person_of
from research.truth.kept import made_of


def speakers() -> tuple[str, ...]:
    """One talking person each, with the voice of the recording. Who may be one person in two: `cast.person_of`."""
    return clips("sync/speakers")


def others() -> tuple[str, ...]:
    """Faces without their own speech: a listener beside a presenter, people without any sound or without speech."""
    return clips("sync/others")


def generated() -> tuple[str, ...]:
    """People to whom nothing was fitted. Their lips were made by a generator for the voice.

    So a voice is off by as much all through a clip, and in two clips of one generator. `@`: from which frame on.
    """
    return clips("sync/generated")


def resting() -> tuple[str, ...]:
    """Clips, without suffix, in which nobody speaks: lips at rest, parted or smiling."""
    return clips("sync/resting")


# What makes a person's data, as places in the project.
MADE_BY = (
    *("manifests/geometry.py", "manifests/keypoints.py", "pipeline/media"),
    *("pipeline/perception/faces", "pipeline/perception/pose"),
    *("pipeline/perception/people", "pipeline/perception/sessions.py", "pipeline/run/frames.py"),
    *("pipeline/stages/s060_spans.py", "pipeline/stages/s070_pose.py"),
    "research/truth/sync_clips.py",
)
# What makes an active-speaker network's picture features of them.
WATCHED_BY = tuple(
    f"pipeline/perception/sync/{name}.py" for name in ("activespeaker", "asd_network", "checkpoint")
)
LONGEST = 250  # frames of a clip that are used
EVERY = 5  # frames between two looks for the face, as in a survey
FACE_SIZE, FACE_MARGIN = (
    280,
    0.5,
)  # two face heights, as SyncNet wants; what the others want lies in its middle
LONGEST_SIDE = 640  # pixels of the person's picture, as in the pipeline


@dataclass(frozen=True, slots=True)
class Person:
    """One person in view, and the sound of their clip (None where it has none).

    name: the clip's file and the number of the face in it; made: a name of all that made the arrays.
    """

    name: str
    pose: Float32[np.ndarray, "time 133 3"]
    faces: UInt8[np.ndarray, "time size size 3"]
    sound: Int16[np.ndarray, " samples"] | None
    made: str = ""

    def __len__(self) -> int:
        """Frames."""
        return len(self.pose)

    @property
    def who(self) -> str:
        """The person: one name for all clips of those who may be one."""
        return who(self.name)

    def lips(self, start: int, stop: int, *, size: int | None = None) -> Lips:
        """What a backend is shown of a stretch; faces: the middle `size` pixels, None: none."""
        if size is None:
            return Lips(faces=None, pose=self.pose[start:stop])
        edge = (FACE_SIZE - size) // 2
        inner = slice(edge, edge + size)
        return Lips(faces=self.faces[start:stop, inner, inner], pose=self.pose[start:stop])

    def audio(self, start: int, stop: int, *, late: int = 0) -> Int16[np.ndarray, " samples"]:
        """The sound of a stretch and 15 frames around it, as if the voice came `late` frames later."""
        if self.sound is None:
            raise ValueError(f"{self.name} has no sound")
        low, high = start - REACH - late, stop + REACH - late
        return self.sound[low * SAMPLES_PER_FRAME : high * SAMPLES_PER_FRAME]


def who(name: str) -> str:
    """Whose a face is, by its name: that of the clip's person."""
    return person_of(name.rpartition(".")[0].partition("@")[0])


def half_of(person: str) -> int:
    """The half of the people that a person is in: every other one in the order of a hash of the name."""
    return _order()[person] % 2


def _order() -> dict[str, int]:
    """The people's places; those who speak are dealt out apart from the others."""
    speak = {person_of(clip) for clip in speakers()}
    rest = {person_of(clip) for clip in others()} - speak
    dealt = (
        sorted(group, key=lambda one: hashlib.sha256(one.encode()).hexdigest())
        for group in (speak, rest)
    )
    return {name: at for group in dealt for at, name in enumerate(group)}


def people(media: Path, cache: Path, names: tuple[str, ...]) -> Iterator[Person]:
    """Every person of the clips that are there, from the cache where the same was read in the same way before.

    media: the folder of the clips; where a clip is not in it, `more` beside it is looked into. names: files, with `@`
    and the first frame where a clip is not read from its beginning.
    """
    for name in names:
        file, _, begin = name.partition("@")
        found = media / file if (media / file).is_file() else media.with_name("more") / file
        if found.is_file():
            made = made_by(found)
            folder = cache / f"{name}-{made}"
            if not folder.is_dir():
                keep(read(found, begin=int(begin or 0)), folder)
            yield from of_footage(folder, name, made)


def made_by(file: Path) -> str:
    """A name of all that makes the data of a clip's people."""
    networks = (FaceDetector().weights, MediaPipePose().weights)
    return made_of(MADE_BY, files=[file], marks=[str(network) for network in networks])


def keep(found: Iterable[Person], folder: Path) -> None:
    """Write people into a new folder, which is there once all of them are."""
    half = folder.with_name(f"{folder.name}.part")
    half.mkdir(parents=True, exist_ok=True)
    for number, person in enumerate(found):
        np.savez(half / f"{number}.npz", allow_pickle=False, **_arrays(person))
        np.save(half / f"{number}.faces.npy", person.faces)
    half.rename(folder)


def of_footage(folder: Path, name: str, made: str) -> Iterator[Person]:
    """The people of a clip's folder."""
    for kept in sorted(folder.glob("*.npz")):
        arrays = np.load(kept)
        faces = np.load(kept.with_suffix(".faces.npy"), mmap_mode="r")  # large, seldom needed
        sound = arrays["sound"] if "sound" in arrays.files else None
        yield Person(f"{name}.{kept.stem}", arrays["pose"], faces, sound, made)


def watched(
    network: LoadedActiveSpeaker, weights: str, person: Person, cache: Path
) -> Float32[np.ndarray, "time 128"]:
    """An active-speaker network's picture features of a person, from the cache where they were computed before.

    weights: SHA-256 of the network's.
    """
    file = cache / f"{person.name}-{made_of(WATCHED_BY, marks=[person.made, weights])}.npy"
    if not file.is_file():
        faces = person.lips(0, len(person), size=MOUTH_SQUARE).faces
        with replacing(file) as half, half.open("wb") as stream:
            np.save(stream, network.visual(faces))
    return np.load(file)


def _arrays(person: Person) -> dict[str, np.ndarray]:
    arrays: dict[str, np.ndarray] = {"pose": person.pose}
    return arrays if person.sound is None else arrays | {"sound": person.sound}


def read(file: Path, *, begin: int = 0) -> Iterator[Person]:
    """Decode, find the faces now and then, follow the joints of each person: as the pipeline does."""
    media = probe(file)
    audio = media.audio is not None
    end = min(begin + LONGEST, media.audible[1] if audio else media.grid_frames)
    shown = span(file, media, media.timeline, start=begin, stop=end, count=Count())
    pictures = [picture for _, picture in shown]
    stop = len(pictures)
    with closing(FaceDetector().load()) as finder:
        looked_at = ((at, pictures[at].rgb()) for at in range(0, stop, EVERY))
        looks = [(at, with_looks(finder(rgb), rgb)) for at, rgb in looked_at]
    tracks = [t.samples for t in follow(looks, [(0, stop)]) if 2 * len(t.samples) > len(looks)]
    sound = read_audio(file, media, start=begin, stop=end) if audio else None
    for path in tracks:
        box = region(
            _middle(path), [_middle(t) for t in tracks if t is not path], media.upright_size
        )
        size = picture_size(box, LONGEST_SIDE)
        with MediaPipePose().track() as track:
            visual = np.stack([track(picture.cut(box, size)) for picture in pictures])
        squares = [face_square(path, at, margin=FACE_MARGIN) for at in range(stop)]
        faces = [p.cut(b, (FACE_SIZE, FACE_SIZE)) for p, b in zip(pictures, squares, strict=True)]
        yield Person(file.name, to_upright(visual, crop_affine(box, size)), np.stack(faces), sound)


def _middle(path: tuple[FaceSample, ...]) -> Box:
    """The median box of a face over time."""
    x, y, width, height = np.median([sample.box for sample in path], axis=0).tolist()
    return x, y, width, height
