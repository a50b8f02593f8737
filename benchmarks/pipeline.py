"""What a kept second costs, beside the plain recipe, on real clips at about 10, 50 and 100 % kept.

    python -m benchmarks.pipeline [--sets 10 50 100]

The plain recipe is what the published pipelines do: re-encode every source to 25 FPS, decode that for scenes, decode it
again for pose on every frame, and decode and encode once more per clip. Both sides use the same networks, the same
encoder settings and one thread per tool; networks are loaded before the clock starts. CPU seconds, user and system, of
this process and its children.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
from av import logging
from scenedetect import AdaptiveDetector, SceneManager, open_video

from manifests.errors import run_command
from manifests.record import Clip, Source
from pipeline.config import Run
from pipeline.flow import build
from pipeline.media.probe import MediaError, probe
from pipeline.validation.costs import bare_decode, cpu_seconds
from pipeline.validation.footage import linked, media_folder, read_labels
from pipeline.validation.in_process import measure

SETS = {
    "10": ("drop", 2),  # every clip labelled drop, and two labelled keep
    "50": ("half", 0),
    "100": ("keep", 99),
}


@dataclass(slots=True)
class Spent:
    """CPU seconds by part."""

    parts: dict[str, float]

    @property
    def total(self) -> float:
        return sum(self.parts.values())

    @contextmanager
    def on(self, part: str) -> Iterator[None]:
        began = cpu_seconds()
        yield
        self.parts[part] = self.parts.get(part, 0.0) + cpu_seconds() - began


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="*", default=list(SETS))
    given = parser.parse_args()
    logging.set_level(logging.FATAL)
    warm()
    for name in given.sets:
        print(f"\n== about {name} % kept", flush=True)
        compare(files_of(name))


def files_of(name: str) -> list[Path]:
    """The clips of a set."""
    folder = media_folder()
    known = read_labels(folder).values()
    keep = [label for label in known if label.expect == "keep"]
    drop = [label for label in known if label.expect == "drop" and label.seconds > 1]
    if name == "100":
        chosen = keep
    elif name == "10":
        chosen = [*drop, *keep[:2]]
    else:
        goal, chosen = sum(label.seconds for label in keep), list(keep)
        for label in sorted(drop, key=lambda item: item.file):
            if sum(item.seconds for item in chosen) + label.seconds <= 2.1 * goal:
                chosen.append(label)
    return [folder / "video" / label.file for label in chosen]


def warm() -> None:
    """Load every network once."""
    with (
        linked(files_of("100")[:1]) as folder,
        tempfile.TemporaryDirectory() as work,
    ):
        list(measure(Run(sources=str(folder), out=Path(work, "out"), work=Path(work, "work"))))


def compare(files: list[Path]) -> None:
    """Both sides on one set of files."""
    with linked(files) as folder, tempfile.TemporaryDirectory() as work:
        run = Run(sources=str(folder), out=Path(work, "out"), work=Path(work, "work"))
        ours, kept, facts = ours_on(run)
        print(
            "ours:  " + ", ".join(f"{part} {s:.2f}" for part, s in ours.parts.items()), flush=True
        )
        again = cpu_seconds()
        list(measure(run))
        repeated = cpu_seconds() - again
        plain = plain_on(files, kept, Path(work))
    seconds = sum(clip.span.frames for clips in kept.values() for clip in clips) / 25.0
    total = facts["grid_frames"] / 25.0
    print(f"{len(files)} sources, {total:.1f} s, kept {seconds:.1f} s ({seconds / total:.0%})")
    print("plain: " + ", ".join(f"{part} {s:.2f}" for part, s in plain.parts.items()))
    print(
        f"CPU-seconds per kept second: ours {ours.total / seconds:.2f}, plain {plain.total / seconds:.2f}"
    )
    print(f"plain / ours: {plain.total / ours.total:.1f} times")
    print(f"a second run: {repeated:.2f} CPU-seconds")
    print(f"frames decoded per source frame: {facts['decoded'] / facts['source_frames']:.2f}")
    print(f"pose frames per kept frame: {facts['pose_frames'] / max(1, seconds * 25):.2f}")
    floor = facts["pose_frames"] * facts["pose_ms"] / 1e3 + facts["bare"]
    print(
        f"floor (pose network alone on those frames, bare decode once): {floor:.1f}; "
        f"ours / floor: {ours.total / floor:.2f}"
    )


def ours_on(run: Run) -> tuple[Spent, dict[str, list[Clip]], dict[str, float]]:
    """Our flow, source by source, with CPU seconds by stage."""
    spent, kept = Spent({}), dict[str, list[Clip]]()
    facts = {
        "decoded": 0.0,
        "source_frames": 0.0,
        "grid_frames": 0.0,
        "pose_frames": 0.0,
        "pose_cpu": 0.0,
        "bare": 0.0,
    }
    stages: dict[str, float] = {}
    began = cpu_seconds()
    for locator, found in measure(run):
        spent.parts["ours"] = spent.parts.get("ours", 0.0) + cpu_seconds() - began
        kept[Path(locator).name] = found.kept
        source = found.source.subject
        media = source.media if isinstance(source, Source) else None
        facts["source_frames"] += media.source_frames if media else 0
        facts["grid_frames"] += media.grid_frames if media else 0
        for outcome in [found.source, *found.clips]:
            facts["decoded"] += sum(outcome.costs.decoded.values())
            for stage, seconds in outcome.costs.seconds.items():
                stages[stage] = stages.get(stage, 0.0) + seconds
        facts["pose_frames"] += sum(
            o.subject.span.frames
            for o in found.clips
            if isinstance(o.subject, Clip) and o.subject.pose
        )
        if isinstance(source, Source) and source.people is not None and source.fetched is not None:
            began = cpu_seconds()
            bare_decode(Path(source.fetched.path))
            facts["bare"] += cpu_seconds() - began
        began = cpu_seconds()
    print("wall seconds by stage: " + ", ".join(f"{s} {v:.1f}" for s, v in stages.items()))
    facts["pose_ms"] = pose_alone(run)
    return spent, kept, facts


def pose_alone(run: Run, frames: int = 60) -> float:
    """CPU milliseconds of the pose network on one prepared picture with a person, per frame."""
    path = files_of("100")[0]
    with av.open(str(path)) as container:
        pictures = [
            frame.to_ndarray(format="rgb24", width=640, height=640)
            for frame, _ in zip(container.decode(video=0), range(frames), strict=False)
        ]
    backend = build(run).on_clip[0].backend  # type: ignore[union-attr]
    with backend.track() as tracker:
        tracker(pictures[0])
        began = cpu_seconds()
        for picture in pictures:
            tracker(picture)
        return (cpu_seconds() - began) / frames * 1e3


# ---- the plain recipe ------------------------------------------------------------------------------------------------


def plain_on(files: list[Path], kept: dict[str, list[Clip]], work: Path) -> Spent:
    """Re-encode everything, find scenes, pose everything, cut each clip."""
    spent = Spent({})
    backend = build(Run()).on_clip[0].backend  # type: ignore[union-attr]
    for file in files:
        try:
            probe(file)
        except MediaError:
            continue
        steady = work / "steady.mp4"
        steady.unlink(missing_ok=True)
        streams = ("-map", "0:v:0", "-map", "0:a:0?")
        with spent.on("re-encode"):
            done = ffmpeg("-i", str(file), *streams, "-r", "25", *H264, "-c:a", "aac", str(steady))
        if not done:
            continue
        with spent.on("scenes"):
            manager = SceneManager()
            manager.add_detector(AdaptiveDetector())
            manager.detect_scenes(open_video(str(steady), backend="pyav"))
        with spent.on("pose"), backend.track() as tracker, av.open(str(steady)) as container:
            container.streams.video[0].thread_type = "NONE"
            for frame in container.decode(video=0):
                tracker(smaller(frame))
        for number, clip in enumerate(kept.get(file.name, [])):
            with spent.on("clips"):
                cut(steady, clip, work / f"{number}.mp4")
    return spent


H264 = (
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-crf",
    "18",
    "-threads",
    "1",
    "-pix_fmt",
    "yuv420p",
)


def smaller(frame: av.VideoFrame) -> np.ndarray:
    """The whole frame, its longer side at most as long as our pictures'."""
    scale = min(1.0, 640 / max(frame.width, frame.height))
    return frame.to_ndarray(
        format="rgb24", width=round(frame.width * scale), height=round(frame.height * scale)
    )


def cut(steady: Path, clip: Clip, out: Path) -> None:
    """Decode and encode one clip once more."""
    box = clip.framing.box if clip.framing else (0.0, 0.0, 512.0, 512.0)
    size = clip.media.upright_size
    side = int(min(box[2], *size)) // 2 * 2
    x, y = (int(min(max(0.0, box[i]), size[i] - side)) for i in (0, 1))
    picture = f"crop={side}:{side}:{x}:{y},scale=512:512"
    span = ("-ss", f"{clip.span.start / 25}", "-t", f"{clip.span.frames / 25}")
    ffmpeg(*span, "-i", str(steady), "-vf", picture, *H264, "-c:a", "aac", str(out))


def ffmpeg(*arguments: str) -> bool:
    """The bundled ffmpeg on one thread; False for a source that it cannot read, which a script would leave out."""
    tool = imageio_ffmpeg.get_ffmpeg_exe()
    command = [tool, "-y", "-v", "error", "-threads", "1", *arguments]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


if __name__ == "__main__":
    run_command(main)
