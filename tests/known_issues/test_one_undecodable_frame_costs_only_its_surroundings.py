"""A talk with one damaged frame lost the whole candidate that held it: all of up to 15 s, for one frame."""

from collections.abc import Callable
from pathlib import Path

import av
import pytest

from manifests.geometry import FPS
from manifests.record import Fetched, Origin, Source, Why
from pipeline.audit.account import account
from pipeline.media.decode import Count, span, survey
from pipeline.stage import need
from pipeline.stages.s020_probe import Probe
from pipeline.stages.s040_shots import FindShots
from pipeline.stages.s060_spans import Spans
from pipeline.store import Store
from tests.examples import source
from tests.pipeline.media.conftest import Make, make, moving

__all__ = ["make", "moving"]

SECONDS, KEYS = 20, 50  # of the film; frames from one key frame to the next
X264 = (
    "-c:v",
    "libx264",
    "-preset",
    "veryfast",
    "-pix_fmt",
    "yuv420p",
    "-g",
    str(KEYS),
    "-bf",
    "3",
)
Moving = Callable[..., list[str]]


def film(make: Make, moving: Moving, name: str) -> Path:
    return make(name, *moving(seconds=SECONDS), *X264)


def packets(path: Path) -> list[tuple[int, bool, bytes]]:
    """Place in the film, whether a key frame, and payload of each packet, in the order of decoding."""
    with av.open(str(path)) as container:
        found = [packet for packet in container.demux(video=0) if packet.size]
    order = sorted(packet.pts for packet in found)
    return [(order.index(packet.pts), packet.is_keyframe, bytes(packet)) for packet in found]


def damage(path: Path, *, keyed: bool) -> int:
    """Overwrite the second half of one packet near the film's middle; the place of its frame."""
    place, _, payload = next(
        each
        for each in packets(path)
        if each[0] >= SECONDS * FPS // 2 + 10 and each[1] is keyed and len(each[2]) > 400
    )
    half = len(payload) // 2
    content = path.read_bytes()
    assert content.count(payload) == 1
    path.write_bytes(content.replace(payload, payload[:half] + bytes(255 for _ in payload[half:])))
    return place


def surveyed(path: Path, folder: Path) -> tuple[Source, Store]:
    """Somebody who talks throughout, in the pictures of a file."""
    store = Store(folder / "work")
    fetched = Fetched(sha256="ee" * 32, bytes=1, path=str(path))
    probed = Probe()(Source(origin=Origin(locator=path.name), fetched=fetched), store)
    media = need(probed.media, "media")
    talk = source(media.grid_frames, turns=((0, media.grid_frames),))
    talk = talk.model_copy(update={"media": media, "fetched": fetched})
    watching = FindShots().watch(talk, store)
    for picture in survey(path, media, store.read_timeline(media), count=Count()):
        watching.add(picture)
    media = media.model_copy(update={"audible": (0, media.grid_frames)})
    return watching.finish(talk).model_copy(update={"media": media}), store


@pytest.mark.parametrize(
    ("name", "keyed"), [("talk.mp4", False), ("talk.mkv", True)], ids=["inside", "key frame"]
)
def test_one_damaged_frame_costs_what_is_built_on_it(make, moving, tmp_path, name, keyed) -> None:
    path = film(make, moving, name)
    whole, _ = surveyed(path, tmp_path)
    assert need(whole.shots, "shots").undecodable == ()
    bad = damage(path, keyed=keyed)

    talk, store = surveyed(path, tmp_path)
    (hole,) = need(talk.shots, "shots").undecodable
    assert bad - 4 <= hole.start <= bad < hole.stop == (bad // KEYS + 1) * KEYS
    clips = Spans()(talk)
    reasons = Spans().leftovers(talk)
    assert {clip.span.stop for clip in clips} >= {hole.start}
    assert {clip.span.start for clip in clips} >= {hole.stop}
    lost = [frame for frame, why in enumerate(reasons) if why is not None]
    assert lost == list(range(hole.start, hole.stop))
    assert {reasons[frame] for frame in lost} == {Why.UNDECODABLE}
    found = account(reasons, [(clip.span, None) for clip in clips])
    assert (found.kept, found.dropped) == (SECONDS * FPS - len(lost), {Why.UNDECODABLE: len(lost)})

    timeline = store.read_timeline(need(talk.media, "media"))
    for clip in clips:
        start, stop = clip.span.start, clip.span.stop
        frames = span(
            path, need(talk.media, "media"), timeline, start=start, stop=stop, count=Count()
        )
        assert [frame for frame, _ in frames] == list(range(start, stop))
