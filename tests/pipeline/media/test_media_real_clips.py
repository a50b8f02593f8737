"""Probe, span and sound against real clips whose making nobody controlled; skipped where they are absent."""

import csv
import hashlib
import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from manifests.geometry import SAMPLES_PER_FRAME, grid_to_source
from pipeline.media.audio import read_all, read_audio
from pipeline.media.decode import Count, Picture, span, survey
from pipeline.media.probe import NoVideo, probe

ROOT = Path(__file__).parents[3]
MEDIA = Path(os.environ.get("COSPEECH_SHARED", ROOT.parent / "shared")) / "media"
LABELS = MEDIA / "labels.tsv"

pytestmark = pytest.mark.skipif(not LABELS.exists(), reason=f"no real clips: {LABELS} is absent")


def rows() -> list[dict[str, str]]:
    if not LABELS.exists():
        return []
    with LABELS.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


CLIPS = [row for row in rows() if row["size"] != "-"]
SOUNDING = [row for row in CLIPS if row["audio"] != "none"]
TURNED = {"-90": 90, "-180": 180}


def ids(labels: list[dict[str, str]]) -> list[str]:
    return [Path(row["file"]).stem for row in labels]


@pytest.mark.parametrize("row", CLIPS, ids=ids(CLIPS))
def test_a_clip_is_described_as_it_is_labelled(row):
    found = probe(MEDIA / row["file"])
    size, _, turn = row["size"].partition(" rotation=")
    assert found.size == tuple(int(side) for side in size.split("x"))
    assert found.rotation == TURNED.get(turn, 0)
    # Labelled rates are frames over the container's duration; a long last frame makes them lower.
    assert float(found.rate) == pytest.approx(float(Fraction(row["fps"].split()[0])), rel=0.02)
    codec, rate, channels = row["audio"].split("/") if row["audio"] != "none" else ("", "0", "0")
    audio = found.audio
    stated = (audio.codec, audio.sample_rate, audio.channels) if audio else ("", 0, 0)
    assert stated == (codec, int(rate), int(channels))
    if row["seconds"] != "?":
        sound = float(audio.start) + audio.seconds if audio else 0.0
        longest = max(found.grid_frames / 25, sound)
        assert longest == pytest.approx(float(row["seconds"]), abs=0.1)


def test_sound_alone_is_no_video():
    with pytest.raises(NoVideo):
        probe(MEDIA / "video/moviepy_audio_only.mp4")


@pytest.mark.parametrize(
    "name", ["moviepy_fire2_rot180_vfr", "psd_goldeneye_vfr_drop3", "moviepy_no_duration"]
)
def test_variable_rates_are_seen(name):
    path = next((MEDIA / "video").glob(f"{name}.*"))
    assert probe(path).variable_rate


@pytest.mark.parametrize("row", SOUNDING, ids=ids(SOUNDING))
def test_the_sound_decodes_over_all_that_is_audible(row):
    path = MEDIA / row["file"]
    found = probe(path)
    track = read_all(path, found)
    first, last = found.audible
    assert track.first == first * SAMPLES_PER_FRAME
    assert len(track.window(start=first, stop=last)) == (last - first) * SAMPLES_PER_FRAME
    start, stop = first + (last - first) // 3, first + 2 * (last - first) // 3
    window = read_audio(path, found, start=start, stop=stop)
    assert np.array_equal(window, track.window(start=start, stop=stop))


def digest(picture: Picture) -> str:
    return hashlib.sha256(picture.frame.to_ndarray().tobytes()).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("row", CLIPS, ids=ids(CLIPS))
def test_a_span_in_the_middle_equals_a_decode_from_the_start(row):
    path = MEDIA / row["file"]
    found = probe(path)
    frames = {
        picture.index: digest(picture)
        for picture in survey(path, found, found.timeline, count=Count(), exact=True)
    }
    assert list(frames) == list(range(found.source_frames))
    start = found.grid_frames // 2
    stop = min(start + 10, found.grid_frames)
    expected = grid_to_source(found.timeline, time_base=found.time_base, start=start, stop=stop)
    got = list(span(path, found, found.timeline, start=start, stop=stop, count=Count()))
    assert [grid for grid, _ in got] == list(range(start, stop))
    assert [picture.index for _, picture in got] == list(expected)
    assert all(digest(picture) == frames[picture.index] for _, picture in got)
