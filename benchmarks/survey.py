"""What the survey of a source costs over the bare decode of the same file, and what it finds.

    python -m benchmarks.survey [FOLDER OF VIDEOS]

Every variant decodes the file again in the same process, one after the other and round by round, so
that the machine's load falls on all of them alike. Times are CPU seconds of the whole process.
"""

import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2

from manifests.errors import UserError, run_command
from manifests.geometry import grid_to_source
from manifests.record import Track
from pipeline.media.decode import Count, survey
from pipeline.media.probe import MediaError, Probed, probe
from pipeline.perception.faces import FaceDetector, FaceFinder, FaceWatcher, Sampling, follow
from pipeline.perception.shots import CameraMotion, Kind, ShotDetector, Stretch
from pipeline.stages.s040_shots import small_size
from pipeline.stages.s050_people import FindPeople
from pipeline.validation.costs import bare_decode, seconds_of
from pipeline.validation.footage import media_folder

ROUNDS = 2
LEAST_FRAMES = 100  # a shorter file says nothing about the ratio
STEPS = ("decode", "small", "shots", "motion", "faces")
SEARCHED = tuple[tuple[int, tuple[object, ...]], ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What the whole survey says about one file."""

    stretches: tuple[Stretch, ...]
    tracks: tuple[Track, ...]
    share: float  # of the searched pictures, those with a face
    count: float  # median number of faces, of the searched pictures
    height: float  # median face height over frame height
    facing: float  # median of the surest face in each picture
    upright_height: int


def look(
    path: Path, media: Probed, detector: ShotDetector | None, finder: FaceFinder | None
) -> Found:
    """Decode once, with as much of the survey as is handed over."""
    shots = detector.start(media.rate) if detector else None
    shown = grid_to_source(
        media.timeline, time_base=media.time_base, start=0, stop=media.grid_frames
    )
    faces = FaceWatcher(finder, shown, Sampling()) if finder else None
    small = small_size(media.upright_size, ShotDetector().long_side)
    large = small_size(media.upright_size, FindPeople().longest_side)
    for picture in survey(path, media, media.timeline, count=Count()):
        pixels = picture.grey(small)
        if shots:
            shots.add(picture.index, pixels)
        if faces and faces.wants(picture.index):
            faces.add(picture.index, picture.rgb(large))
    stretches = shots.finish() if shots else ()
    return summary(stretches, faces, large[1], media.upright_size[1])


def summary(
    stretches: tuple[Stretch, ...], watcher: FaceWatcher | None, height: int, upright: int
) -> Found:
    """The numbers of the table; zeros where no faces were looked for."""
    samples = watcher.finish() if watcher else ()
    spans = [(s.first, s.stop) for s in stretches if s.kind is Kind.SHOT]
    seen = [faces for _, faces in samples if faces]
    return Found(
        stretches,
        follow(samples, spans),
        len(seen) / max(1, len(samples)),
        statistics.median([len(faces) for _, faces in samples] or [0]),
        statistics.median([f.box[3] / height for faces in seen for f in faces] or [0.0]),
        statistics.median([faces[0].facing for faces in seen] or [0.0]),
        upright,
    )


def measure(path: Path, media: Probed, finder: FaceFinder) -> tuple[dict[str, float], Found]:
    """CPU seconds of each variant, the least of the rounds, and what the survey found."""
    full = ShotDetector()
    still = replace(full, camera=CameraMotion(steps_per_second=1e-6))
    variants: dict[str, Callable[[], object]] = {
        "decode": lambda: bare_decode(path),
        "small": lambda: look(path, media, None, None),
        "shots": lambda: look(path, media, still, None),
        "motion": lambda: look(path, media, full, None),
        "faces": lambda: look(path, media, full, finder),
    }
    rounds = [{name: seconds_of(work) for name, work in variants.items()} for _ in range(ROUNDS)]
    return {n: min(r[n] for r in rounds) for n in STEPS}, look(path, media, full, finder)


def row(path: Path, media: Probed, cost: dict[str, float], found: Found) -> str:
    """One line of the table."""
    per_frame = {name: 1e3 * value / media.source_frames for name, value in cost.items()}
    ratio = cost["faces"] / cost["decode"]
    pieces = " ".join(
        f"{s.first}-{s.stop}" + ("~" if s.kind is Kind.TRANSITION else _speed(s))
        for s in found.stretches
    )
    return (
        f"{path.name:36} {media.source_frames:5} "
        + " ".join(f"{per_frame[name]:6.2f}" for name in STEPS)
        + f" {ratio:5.2f}  {found.share:4.2f} {found.count:3.0f}"
        f" {found.height * found.upright_height:5.0f} {found.height:5.3f} {found.facing:5.2f}"
        f" {len(found.tracks):3}  {pieces}"
    )


def _speed(stretch: Stretch) -> str:
    return "(-)" if stretch.camera_motion is None else f"({stretch.camera_motion:.3f})"


def main() -> None:
    """Print the table for every video of a folder."""
    cv2.setNumThreads(1)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else media_folder() / "video"
    finder = FaceDetector().load()
    print(f"{'ms per frame, cumulative':36} {'n':>5} " + " ".join(f"{s:>6}" for s in STEPS), end="")
    print(" ratio  seen  n    px ratio facing tracks  frames(background speed), ~ transition")
    ratios: list[float] = []
    spent = bare_seconds = 0.0
    for path in sorted(folder.iterdir()):
        try:
            media = probe(path)
        except MediaError as error:
            print(f"{path.name:36} {type(error).__name__}")
            continue
        cost, found = measure(path, media, finder)
        if media.source_frames >= LEAST_FRAMES:
            ratios.append(cost["faces"] / cost["decode"])
            spent, bare_seconds = spent + cost["faces"], bare_seconds + cost["decode"]
        print(row(path, media, cost, found), flush=True)
    if not ratios:
        raise UserError(
            f"{folder} has no video of {LEAST_FRAMES} frames or more, which a ratio needs"
        )
    print(f"all of them together: {spent / bare_seconds:.2f}")
    print(
        f"ratio over {len(ratios)} files of {LEAST_FRAMES} frames or more: mean {statistics.mean(ratios):.2f},",
        end=" ",
    )
    print(f"median {statistics.median(ratios):.2f}, largest {max(ratios):.2f}")


if __name__ == "__main__":
    run_command(main)
