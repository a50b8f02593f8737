"""Contact sheets of a dataset's clips: skeleton, face box, who speaks and at which offset, over stored pictures.

A wrong hand is seen in a second and by no number. The strip below the pictures shows how far the lips open and how loud
the voice is; the sync backend's offset moves the voice, so that right sync puts the curves over each other.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pyarrow.parquet as pq
import soundfile
from jaxtyping import Float, Float32, Int16, UInt8

from manifests import keypoints as kp
from manifests.geometry import SAMPLES_PER_FRAME, apply, crop_affine
from manifests.record import Box, Clip, Verdict
from manifests.shards import ShardError, from_json, read_member
from pipeline.audit.errors import LookError
from pipeline.media.draw import contact_sheet, draw_box, draw_pose, draw_text

TILE = 320
COLUMNS = 4
STRIP = 96
LINE = 22
LIPS, VOICE = (96, 255, 96), (255, 176, 64)

Picture = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True, slots=True)
class Kept:
    """One stored clip, read whole."""

    clip: Clip
    pose: Float32[np.ndarray, "time 133 3"]
    sound: Int16[np.ndarray, " samples"]
    video: bytes


def write_sheets(
    dataset: Path, out: Path, *, clips: Sequence[str] = (), most: int = 10
) -> list[Path]:
    """One PNG a clip: those named by the beginnings of their ids, else `most` evenly over the set.

    Raises LookError where the folder is no dataset or an id fits no clip.
    """
    rows = chosen(dataset, clips, most)
    unknown = undecided(dataset)
    out.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for row in rows:
        kept = read(dataset, row)
        file = out / f"{kept.clip.id}.png"
        sheet = sheet_of(kept, unknown.get(kept.clip.id, ()))
        if not cv2.imwrite(str(file), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR)):
            raise LookError(f"{file} cannot be written")
        written.append(file)
    return written


def chosen(dataset: Path, clips: Sequence[str], most: int) -> list[dict[str, Any]]:
    """Rows of clips.parquet."""
    table = dataset / "clips.parquet"
    if not table.is_file():
        raise LookError(f"{dataset} is no dataset: it has no clips.parquet")
    rows = pq.read_table(table).to_pylist()
    if not clips:
        places = np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).round().astype(int))
        return [rows[place] for place in places] if rows else []
    found: list[dict[str, Any]] = []
    for name in clips:
        fitting = [row for row in rows if row["id"].startswith(name)]
        if len(fitting) != 1:
            raise LookError(f"{len(fitting)} clips of {dataset} begin with {name!r}, needed one")
        found += fitting
    return found


def undecided(dataset: Path) -> dict[str, tuple[str, ...]]:
    """What was measured and not acted on, by clip."""
    table = pq.read_table(
        dataset / "decisions.parquet", columns=["subject", "measurement", "verdict"]
    )
    said: dict[str, tuple[str, ...]] = {}
    for row in table.to_pylist():
        if row["verdict"] == Verdict.UNKNOWN:
            said[row["subject"]] = (*said.get(row["subject"], ()), row["measurement"])
    return said


def read(dataset: Path, row: dict[str, Any]) -> Kept:
    """A clip's members. Raises LookError where a shard is missing or too short."""

    def member(family: str, ending: str) -> bytes:
        return read_member(
            dataset / row[f"{family}_shard"],
            offset=row[f"{ending}_offset"],
            size=row[f"{ending}_size"],
        )

    try:
        content = {ending: member("motion", ending) for ending in ("json", "pose", "flac")}
        video = member("video", "mp4")
    except (OSError, ShardError) as error:
        raise LookError(f"clip {row['id']}: {error}") from error
    sound, _ = soundfile.read(io.BytesIO(content["flac"]), dtype="int16")
    pose = np.load(io.BytesIO(content["pose"]), allow_pickle=False)
    return Kept(from_json(content["json"]), pose, sound, video)


def sheet_of(kept: Kept, unknown: Sequence[str]) -> Picture:
    """Words, eight pictures, and the strip of lips and voice, below each other."""
    frames = len(kept.pose)
    wanted = {int(at) for at in np.linspace(0, frames - 1, 2 * COLUMNS).round()}
    tiles: list[Picture] = []
    with av.open(io.BytesIO(kept.video), "r") as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number in wanted:
                tiles.append(tile_of(kept, frame.to_ndarray(format="rgb24"), number))
    wide = COLUMNS * TILE
    parts = [
        words(kept.clip, unknown, wide),
        contact_sheet(tiles, columns=COLUMNS, tile=(TILE, TILE)),
    ]
    return np.concatenate([*parts, strip(kept, wide)])


def tile_of(kept: Kept, picture: Picture, number: int) -> Picture:
    """One picture with skeleton, face box and time."""
    pose_valid = kept.clip.pose.valid_from if kept.clip.pose else 0.5
    drawn = draw_pose(picture, kept.pose[number], valid_from=pose_valid)
    box = face_at(kept.clip, number)
    if box is not None:
        label = f"voice {kept.clip.speech.speaker}" if kept.clip.speech else ""
        drawn = draw_box(drawn, box, label=label)
    draw_text(drawn, f"{number / 25.0:.2f} s", at=(8, picture.shape[0] - 10))
    return drawn


def face_at(clip: Clip, number: int) -> Box | None:
    """The speaker's face box in pixels of the crop, between two looks; None without framing or looks."""
    if clip.framing is None or not clip.person.path:
        return None
    frames = [sample.frame for sample in clip.person.path]
    boxes = np.asarray([sample.box for sample in clip.person.path])
    x, y, wide, high = (
        float(np.interp(clip.span.start + number, frames, boxes[:, side])) for side in range(4)
    )
    corners = np.array([[x, y], [x + wide, y + high]], np.float32)
    (left, top), (right, bottom) = apply(
        crop_affine(clip.framing.box, clip.framing.size), corners
    ).tolist()
    return left, top, right - left, bottom - top


def words(clip: Clip, unknown: Sequence[str], wide: int) -> Picture:
    """Where the clip is from and what was measured; titles and names are shown in plain ASCII."""
    sync = clip.sync
    lines = [
        f"{clip.id}   {clip.origin.locator}   frames {clip.span.start}-{clip.span.stop} of the source",
        f"identity {clip.identity.group if clip.identity else '-'}   voice {clip.speech.speaker}"
        f" speaks {clip.speech.voiced:.2f} of the time   person {clip.person.number} of {clip.person.in_view} in view",
        use_in_words(clip),
        "sync not measured" if sync is None else
        f"sync by {sync.backend.name}: offset {sync.offset:+d} frames, confidence {sync.confidence:.2f},"
        f" speaking {sync.speaking:.2f}, sound moved by {sync.shifted} frames",
        f"measured, not acted on: {', '.join(unknown) or 'nothing'}",
    ]  # fmt: skip
    picture = np.zeros((LINE * len(lines) + 10, wide, 3), np.uint8)
    for number, line in enumerate(lines):
        plain = line.encode("ascii", "replace").decode()
        draw_text(picture, plain, at=(8, LINE * (number + 1) - 2))
    return picture


def use_in_words(clip: Clip) -> str:
    """The split, and what the clip may not serve for."""
    use = "" if clip.use == "all" else ", for training only"
    return f"split {clip.split or '-'}{use}{f', {mark}' if (mark := clip.origin.synthetic) else ''}"


def strip(kept: Kept, wide: int) -> Picture:
    """Opening of the inner lips (green) and loudness of the voice (orange), moved by the offset that sync found."""
    picture = np.zeros((STRIP, wide, 3), np.uint8)
    offset = (kept.clip.sync.offset if kept.clip.sync else 0) - (
        kept.clip.sync.shifted if kept.clip.sync else 0
    )
    curve(picture, opening(kept.pose), LIPS)
    voice = loudness(kept.sound)
    curve(picture, voice[np.clip(np.arange(len(voice)) + offset, 0, len(voice) - 1)], VOICE)
    draw_text(picture, "lips", at=(8, 16), colour=LIPS)
    draw_text(picture, f"voice, {-offset:+d} frames", at=(60, 16), colour=VOICE)
    return picture


def opening(pose: Float32[np.ndarray, "time 133 3"]) -> Float[np.ndarray, " time"]:
    """Distance of the inner lips in pixels of the crop; 0 where they were not found."""
    upper, lower = (pose[:, kp.FACE.start + joint].astype(np.float64) for joint in (62, 66))
    seen = (upper[:, 2] > 0.0) & (lower[:, 2] > 0.0)
    return np.where(seen, np.linalg.norm(upper[:, :2] - lower[:, :2], axis=1), 0.0)


def loudness(sound: Int16[np.ndarray, " samples"]) -> Float[np.ndarray, " time"]:
    """Root mean square of each frame, square root of it again: how loud it seems rather than how strong it is."""
    frames = len(sound) // SAMPLES_PER_FRAME
    blocks = sound[: frames * SAMPLES_PER_FRAME].reshape(frames, -1).astype(np.float64)
    return np.sqrt(np.sqrt((blocks**2).mean(axis=1)))


def curve(
    picture: Picture, values: Float[np.ndarray, " time"], colour: tuple[int, int, int]
) -> None:
    """Draw a row of numbers over the whole width, from its least at the bottom to its most at the top."""
    span = float(values.max() - values.min()) or 1.0
    x = np.linspace(0, picture.shape[1] - 1, len(values))
    y = (STRIP - 6) - (STRIP - 24) * (values - values.min()) / span
    points = np.stack([x, y], axis=1).round().astype(np.int32)
    cv2.polylines(picture, [points[:, None]], False, colour, 1, cv2.LINE_AA)
