"""The probe stage: what a file says of itself becomes a section, and what is no video is refused with its reason."""

from pathlib import Path

import pytest

from manifests.record import Fetched, Origin, Source, Why
from pipeline.stage import need
from pipeline.stages.s020_probe import Probe
from pipeline.store import Store
from pipeline.verdict import Refusal
from tests.pipeline.media.conftest import Make, make, moving

__all__ = ["make", "moving"]


def fetched(path: Path) -> Source:
    return Source(
        origin=Origin(locator=path.name),
        fetched=Fetched(sha256="ee" * 32, bytes=path.stat().st_size, path=str(path)),
    )


def test_each_file_has_its_own_size_length_and_timeline(make: Make, moving, tmp_path: Path) -> None:
    store = Store(tmp_path / "work")
    short = fetched(make("short.mp4", *moving(seconds=1.0)))
    fast = fetched(make("fast.mp4", *moving(rate="50", seconds=2.0, size="192x128")))
    found = [Probe()(source, store) for source in (short, fast, short)]
    one, two, again = (need(source.media, "media") for source in found)
    assert (one.upright_size, one.source_frames, one.grid_frames) == ((160, 120), 25, 25)
    assert (two.upright_size, two.source_frames, two.grid_frames) == ((192, 128), 100, 50)
    assert one == again
    assert [len(store.read_timeline(media)) for media in (one, two)] == [25, 100]
    assert found[1].fetched == fast.fetched


@pytest.mark.parametrize(
    ("name", "why"), [("text.mp4", Why.NOT_MEDIA), ("sound.wav", Why.NO_VIDEO)]
)
def test_what_is_no_video_is_refused(make: Make, tmp_path: Path, name: str, why: Why) -> None:
    if why is Why.NO_VIDEO:
        path = make(name, "-f", "lavfi", "-i", "sine=duration=1")
    else:
        path = tmp_path / name
        path.write_text("no media")
    with pytest.raises(Refusal) as refusal:
        Probe()(fetched(path), Store(tmp_path / "work"))
    assert refusal.value.why is why
