"""A slideshow was kept: 2 pictures a second, stored as they are or repeated in a file of 25, became clips of 25."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from manifests.record import Clip, Fetched, Origin, Source, Verdict, Why
from pipeline.config import Run
from pipeline.flow import build
from pipeline.media.decode import Count, survey
from pipeline.rules import CLIP_RULES
from pipeline.stage import need
from pipeline.stages.s020_probe import Probe
from pipeline.stages.s040_shots import FindShots
from pipeline.stages.s060_spans import Spans
from pipeline.store import Store
from pipeline.verdict import decide
from tests.examples import source, track

WIDE, HIGH, SECONDS = 320, 180, 6


def talking(seconds: float) -> np.ndarray:
    """A head that nods and a mouth that opens, before something still."""
    noise = np.random.default_rng(1).integers(0, 256, (HIGH, WIDE), dtype=np.uint8)
    picture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 3.0), None, 60, 120, cv2.NORM_MINMAX)
    x = WIDE // 2 + round(5 * np.sin(2 * np.pi * 0.9 * seconds))
    y = HIGH // 3 + round(3 * np.sin(2 * np.pi * 1.7 * seconds))
    cv2.ellipse(picture, (x, y), (18, 26), 0, 0, 360, 200, -1)
    open_by = 2 + round(4 * abs(np.sin(2 * np.pi * 3.1 * seconds)))
    cv2.ellipse(picture, (x, y + 12), (7, open_by), 0, 0, 360, 40, -1)
    return picture


def film(path: Path, *, rate: str, stored: str, crf: int = 23, grain: float = 0.0) -> Path:
    """A file of `stored` pictures a second, of which `rate` are new."""
    new, fps = Fraction(rate), Fraction(stored)
    drawn = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        options = {"crf": str(crf), "preset": "veryfast", "threads": "1"}
        stream = container.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDE, HIGH, "yuv420p"
        for place in range(round(SECONDS * fps)):
            shown = int(place * new / fps) / new
            noise = drawn.standard_normal((HIGH, WIDE)) * grain
            pixels = np.clip(talking(float(shown)) + noise, 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="gray")))
        container.mux(stream.encode())
    return path


def candidate(path: Path, folder: Path) -> Clip:
    """Somebody who talks throughout, their face in the middle of a film."""
    store = Store(folder / "work")
    fetched = Fetched(sha256="ee" * 32, bytes=1, path=str(path))
    probed = Probe()(Source(origin=Origin(locator=path.name), fetched=fetched), store)
    media = need(probed.media, "media")
    frames = media.grid_frames
    media = media.model_copy(update={"audible": (0, frames)})
    someone = track(0, range(0, frames, 12), x=WIDE / 2 - 16.0, y=HIGH / 3 - 20.0, size=40.0)
    talk = source(frames, turns=((0, frames),), tracks=(someone,))
    talk = talk.model_copy(update={"media": media, "fetched": fetched})
    watching = FindShots().watch(talk, store)
    for picture in survey(path, media, store.read_timeline(media), count=Count()):
        watching.add(picture)
    return max(Spans(shortest=2.0)(watching.finish(talk)), key=lambda clip: clip.span.frames)


def is_dropped(clip: Clip) -> bool:
    rows = decide(clip, CLIP_RULES, build(Run()).versions)
    return any(
        row.reason is Why.LOW_PICTURE_RATE and row.verdict is Verdict.DROPPED for row in rows
    )


FEW = {
    "stored as they are": {"rate": "2", "stored": "2"},
    "each held for 12 or 13": {"rate": "2", "stored": "25"},
    "held, coarsely coded": {"rate": "2", "stored": "25", "crf": 30},
    "held, under grain": {"rate": "2", "stored": "25", "grain": 3.0},
    "5 in 30": {"rate": "5", "stored": "30"},
    "10 in 25, coarsely coded": {"rate": "10", "stored": "25", "crf": 30},
}
ENOUGH = {
    "each doubled": {"rate": "25/2", "stored": "25"},
    "as they are, coarsely coded": {"rate": "25", "stored": "25", "crf": 30},
    "as they are, under grain": {"rate": "25", "stored": "25", "grain": 3.0},
    "30000/1001": {"rate": "30000/1001", "stored": "30000/1001"},
}


@pytest.mark.parametrize("made", FEW.values(), ids=FEW)
def test_few_pictures_a_second_are_seen_and_dropped(tmp_path: Path, made: dict[str, str]) -> None:
    clip = candidate(film(tmp_path / "show.mp4", **made), tmp_path)
    assert clip.shot.new_pictures == pytest.approx(float(made["rate"]), rel=0.1)
    assert is_dropped(clip)


@pytest.mark.parametrize("made", ENOUGH.values(), ids=ENOUGH)
def test_footage_at_ordinary_rates_is_kept(tmp_path: Path, made: dict[str, str]) -> None:
    clip = candidate(film(tmp_path / "film.mp4", **made), tmp_path)
    assert clip.shot.new_pictures == pytest.approx(float(Fraction(made["rate"])), rel=0.1)
    assert not is_dropped(clip)
