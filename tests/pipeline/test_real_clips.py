"""The labelled real clips: what is to be kept gives clips, what is to be dropped gives none, for the reason it has."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from pipeline.config import load
from pipeline.run.build import build
from research.truth.cascade import both

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("build"), pytest.mark.timeout(3000)]

# What the words of a label are called by the rules.
FITS = {
    "one frame": {"too_short"},
    "tiny frame": {"frame_too_small"},
    "upper body missing": {"upper_body_missing", "close_up"},
    "singing": {"no_speech", "turn_too_short"},
    "no audio": {"no_audio"},
    "no speech": {"no_speech"},
    "silent": {"no_speech"},
    "no video": {"no_video"},
    "1 s": {"too_short"},
    "no person": {"too_short", "no_speech", "nobody_in_view"},
    "side view": {"side_view", "face_turned"},
    "under 5 s": {"too_short"},
}


@pytest.fixture(scope="module")
def real(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], pd.DataFrame]:
    out = tmp_path_factory.mktemp("real") / "set"
    run = load(None, (f"sources={shared}/media/video", f"out={out}", "workers=2", "dashboard=0"))
    assert build(run, Console(quiet=True)) == 0
    assert json.loads((out / "run.json").read_text())["failures"] == []
    return lambda name: pd.read_parquet(out / f"{name}.parquet")


def labels(shared: Path) -> dict[str, str]:
    with (shared / "media" / "labels.tsv").open() as stream:
        return {Path(r["file"]).name: r["expect"] for r in csv.DictReader(stream, delimiter="\t")}


def test_every_keep_gives_a_clip_and_no_drop_does(
    real: Callable[[str], pd.DataFrame], shared: Path
) -> None:
    kept = set(real("clips").locator)
    for name, label in labels(shared).items():
        if label.startswith("keep"):
            assert name in kept
        if label.startswith("drop"):
            assert name not in kept


def test_the_reasons_fit_the_labels(real: Callable[[str], pd.DataFrame], shared: Path) -> None:
    decisions, sources = real("decisions"), real("sources").set_index("locator")
    for name, label in labels(shared).items():
        if not label.startswith("drop"):
            continue
        said = set(decisions[(decisions.source == name) & (decisions.verdict == "dropped")].reason)
        said |= set(json.loads(sources.loc[name, "frames_dropped"]))
        wanted = [reasons for words, reasons in FITS.items() if words in label]
        assert any(said & reasons for reasons in wanted), f"{name}: {label}, dropped for {said}"


def test_two_pictures_of_one_voice_track_are_one_identity(
    real: Callable[[str], pd.DataFrame],
) -> None:
    clips = real("clips").set_index("locator")
    assert clips.loc["tango_demo0.mp4", "identity"] == clips.loc["tango_demo2.mp4", "identity"]
    others = clips.drop(["tango_demo0.mp4", "tango_demo2.mp4"])
    assert clips.loc["tango_demo0.mp4", "identity"] not in set(others.identity)


def test_the_cascade_keeps_what_measuring_everything_keeps(shared: Path) -> None:
    names = (
        *("latentsync_demo2.mp4", "svid_head_4.mp4", "svid_side_1.mp4", "svid_half_body_3.mp4"),
        *("panda_R_YVZHusX4w.mp4", "hdtf_WDA_AOC.mp4"),
    )
    short, whole = both([shared / "media" / "video" / name for name in names])
    assert short.kept == whole.kept and short.kept
    assert short.candidates == whole.candidates
    assert short.decoded < whole.decoded
