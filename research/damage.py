"""What one damaged packet costs: frames left out, and frames wrong that are shown all the same.

    python -m research.damage [--damages 12]

10 s of a real clip (list `damage/film`) in several codecs and containers, each time with a piece of one packet
overwritten, every third time of a key frame's. *Wrong*: at least one block of 16 by 16 pixels is off by more than half
a grey level, mean, from the undamaged film's. *Flags alone*: what would be shown if only the frames were left out that
the decoder flags.
"""

import argparse
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
from av import logging
from av.error import FFmpegError
from av.video.stream import VideoStream
from numpy.typing import NDArray

from manifests.errors import run_command
from pipeline.media.decode import Count, DecodeError, span, survey
from pipeline.media.probe import MediaError, Probed, open_media, packets_of, probe, video_stream
from pipeline.validation.footage import media_folder
from research.cases import clip

SIZE, SECONDS, KEYS = (640, 352), 10, 50
CODECS: dict[str, tuple[str, dict[str, str]]] = {
    "H.264, mp4": ("libx264", {}),
    "H.264, mkv": ("libx264", {}),
    "H.264, ts": ("libx264", {}),
    "H.264 open GOP, mp4": ("libx264", {"x264-params": "open-gop=1:scenecut=0"}),
    "H.264 intra refresh, mp4": ("libx264", {"x264-params": "intra-refresh=1"}),
    "HEVC, mp4": ("libx265", {"x265-params": f"log-level=none:keyint={KEYS}"}),
    "MPEG-4, mkv": ("mpeg4", {"bf": "2"}),
    "MPEG-2, ts": ("mpeg2video", {"bf": "2"}),
    "VP9, webm": ("libvpx-vp9", {"cpu-used": "8", "deadline": "realtime"}),
    "AV1, mp4": ("libsvtav1", {"preset": "12"}),
}
Luma = NDArray[np.int16]


@dataclass(slots=True)
class Cost:
    """What the damages of one codec cost. worst: grey levels, mean over a block of 16 by 16 pixels."""

    lost: list[int] = field(default_factory=list[int])
    wrong: int = 0
    flags_wrong: int = 0
    flags_worst: float = 0.0
    unnoticed: int = 0
    spans: int = 0
    failed: int = 0


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--damages", type=int, default=12)
    given = parser.parse_args()
    logging.set_level(logging.PANIC)
    pictures = read(media_folder() / clip("damage/film"))
    print(
        "| film | damages | not noticed by the decoder | frames left out, median (most) | shown though wrong | with "
        "flags alone | their worst block | spans tried | refused |\n|---|---|---|---|---|---|---|---|---|"
    )
    for name in CODECS:
        with tempfile.TemporaryDirectory() as folder:
            print(row(name, cost(name, pictures, Path(folder), given.damages)), flush=True)


def row(name: str, found: Cost) -> str:
    """One line of the table."""
    lost = found.lost or [0]
    return (
        f"| {name} | {len(found.lost) + found.unnoticed} | {found.unnoticed} | {np.median(lost):g} ({max(lost)}) | "
        f"{found.wrong} | {found.flags_wrong} | {found.flags_worst:.0f} | {found.spans} | {found.failed} |"
    )


def read(film: Path) -> list[av.VideoFrame]:
    """The first pictures of a clip of 25 a second."""
    with av.open(str(film)) as container:
        shown = islice(container.decode(video=0), SECONDS * 25)
        return [frame.reformat(*SIZE, format="yuv420p") for frame in shown]


def cost(name: str, pictures: list[av.VideoFrame], folder: Path, damages: int) -> Cost:
    """Damage one film again and again."""
    film = write(name, pictures, folder / f"film.{name.split()[-1]}")
    found, facts, whole = Cost(), probe(film), lumas(film)
    bad, drawn = film.with_stem("damaged"), random.Random(name)
    spots = [spot for spot in packets(film) if spot[0] > 0 and spot[1] > 400]
    keys = [spot for spot in spots if spot[2]]
    for number in range(damages):
        position, length, _ = drawn.choice(keys if number % 3 == 0 and keys else spots)
        content = bytearray(film.read_bytes())
        at = position + 200 + drawn.randrange(length - 250)
        content[at : at + 40] = bytes(drawn.randrange(256) for _ in range(40))
        bad.write_bytes(content)
        try:
            look(bad, facts, whole, found)
        except MediaError:
            found.lost.append(len(whole))  # not even probed
    return found


def look(bad: Path, facts: Probed, whole: dict[int, Luma], found: Cost) -> None:
    """Add what one damaged file costs."""
    after = probe(bad)
    left = {
        int(after.timeline[p.index]): luma(p.frame)
        for p in survey(bad, after, after.timeline, count=Count(), exact=True)
    }
    flagged = lumas(bad)
    off = {time: worst(flagged[time], whole[time]) for time in flagged if time in whole}
    found.flags_wrong += sum(each > 0.5 for each in off.values())
    found.flags_worst = max([found.flags_worst, *off.values()])
    found.wrong += sum(worst(left[time], whole[time]) > 0.5 for time in left if time in whole)
    if len(left) == len(facts.timeline):
        found.unnoticed += 1
    else:
        found.lost.append(len(facts.timeline) - len(left))
    places = [n for n, time in enumerate(after.timeline) if int(time) in left]
    for start, stop in runs(places):
        found.spans += 1
        try:
            list(span(bad, after, after.timeline, start=start, stop=stop, count=Count()))
        except DecodeError:
            found.failed += 1


def runs(places: list[int]) -> Iterator[tuple[int, int]]:
    """Every stretch without a gap, and pieces of 30 within it; 25 pictures a second, so that frames are grid frames."""
    breaks = [0, *(n + 1 for n, (a, b) in enumerate(pairwise(places)) if b > a + 1), len(places)]
    for begin, end in pairwise(breaks):
        start, stop = places[begin], places[end - 1] + 1
        yield start, stop
        yield from ((at, min(at + 30, stop)) for at in range(start + 1, stop, 37))


def write(name: str, pictures: list[av.VideoFrame], file: Path) -> Path:
    """The film in one codec."""
    codec, options = CODECS[name]
    with av.open(str(file), "w") as container:
        stream = container.add_stream(
            codec, rate=25, options={"g": str(KEYS), "threads": "1", **options}
        )
        if not isinstance(stream, VideoStream):
            raise TypeError(f"{codec} is no video codec")
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for number, frame in enumerate(pictures):
            frame.pts, frame.time_base, frame.pict_type = number, Fraction(1, 25), 0
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return file


def packets(film: Path) -> list[tuple[int, int, bool]]:
    """Byte, length and whether a key frame, of every packet from the tenth on."""
    with av.open(str(film)) as container:
        found = [
            (p.pos, p.size, p.is_keyframe)
            for p in container.demux(video=0)
            if p.size and p.pos is not None
        ]
        return found[10:]


def lumas(film: Path) -> dict[int, Luma]:
    """Luma by timestamp of every frame that is not flagged."""
    found = dict[int, Luma]()
    with open_media(film) as container:
        stream = video_stream(container)
        assert stream is not None
        for packet in packets_of(container, stream):
            try:
                frames = packet.decode()
            except FFmpegError:
                continue
            found |= {f.pts: luma(f) for f in frames if not f.is_corrupt and f.pts is not None}
    return found


def luma(frame: av.VideoFrame) -> Luma:
    """A frame without its colours."""
    return frame.to_ndarray(format="gray").astype(np.int16)


def worst(one: Luma, other: Luma) -> float:
    """Largest mean difference of a block of 16 by 16 pixels, grey levels."""
    if one.shape != other.shape:
        return 255.0
    high, wide = one.shape
    blocks = np.abs(one - other).reshape(high // 16, 16, wide // 16, 16)
    return float(blocks.mean(axis=(1, 3)).max())


if __name__ == "__main__":
    run_command(main)
