"""How much the picture changes where somebody talks, and where one frame of it stands still under grain and coding.

    python -m research.frozen

Real clips labelled `keep` or `any`; of each the first 10 s, and its frame at 2 s repeated for 4 s with and without
grain (standard deviation in grey levels) through x264. The figure is `shot.change` as the survey measures it.
"""

import argparse
import io
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av import logging

from manifests.errors import run_command
from pipeline.perception.shots import ShotDetector
from pipeline.stages.s040_shots import small_size
from pipeline.validation.footage import media_folder, read_labels

FROZEN = ((0.0, 23), (0.0, 32), (4.0, 23), (8.0, 18))
"""Grain and x264's constant rate factor."""


def main() -> None:
    """The command."""
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    logging.set_level(logging.FATAL)
    folder = media_folder()
    names = ", ".join(f"grain {grain:g} crf {crf}" for grain, crf in FROZEN)
    print(f"clip: talking | frozen, {names}")
    for label in sorted(read_labels(folder).values(), key=lambda each: each.file):
        if label.expect in ("keep", "any") and label.seconds > 5:
            pictures = list(read(folder / "video" / label.file, most=300))
            still = pictures[50]
            rows = [change(frozen(still, grain=grain, crf=crf)) for grain, crf in FROZEN]
            print(
                f"{label.file}: {change(pictures):.1f} | {', '.join(f'{row:.1f}' for row in rows)}",
                flush=True,
            )


def read(path: Path | io.BytesIO, *, most: int) -> Iterator[np.ndarray]:
    """The first pictures of a file as BGR, at most 640 pixels wide."""
    with av.open(str(path) if isinstance(path, Path) else path, "r") as container:
        for frame in islice(container.decode(video=0), most):
            wide, high = small_size((frame.width, frame.height), 640)
            yield frame.to_ndarray(format="bgr24", width=wide // 2 * 2, height=high // 2 * 2)


def change(pictures: Iterable[np.ndarray]) -> float:
    """`shot.change` of the longest shot."""
    detector, rate = ShotDetector(), Fraction(25)
    watcher = detector.start(rate)
    for index, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
        wide, high = small_size((frame.width, frame.height), detector.long_side)
        watcher.add(index, frame.to_ndarray(format="gray", width=wide, height=high))
    shots = [shot for shot in watcher.finish() if shot.change is not None]
    longest = max(shots, key=lambda shot: shot.stop - shot.first)
    return longest.change or 0.0


def frozen(still: np.ndarray, *, grain: float, crf: int) -> Iterator[np.ndarray]:
    """One picture for 4 s, with fresh grain in each frame, encoded and decoded again."""
    random, buffer = np.random.default_rng(0), io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        options = {"crf": str(crf), "preset": "veryfast", "threads": "1"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.height, stream.width, stream.pix_fmt = *still.shape[:2], "yuv420p"
        for _ in range(100):
            noise = random.standard_normal(still.shape[:2])[..., None] * grain
            pixels = np.clip(still + noise, 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="bgr24")))
        container.mux(stream.encode())
    buffer.seek(0)
    yield from read(buffer, most=100)


if __name__ == "__main__":
    run_command(main)
