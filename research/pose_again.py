"""Pose run again on the stored clips, against the stored pose: best lag, median difference; and a sheet to look at.

    python -m research.pose_again DATASET [--sheets FOLDER] [--limit N]

The stored pose was estimated on the source and mapped to the crop; this runs the same backend on the stored MP4. The
lag is the shift in frames at which the two fit best; the difference is the median over joints that both see, in pixels
of the crop.
"""

import argparse
import io
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pyarrow.parquet as pq

from manifests.shards import read_member
from pipeline.config import Run
from pipeline.flow import build
from pipeline.media.draw import contact_sheet, draw_pose
from pipeline.stages.s070_pose import EstimatePose

LAGS = range(-5, 6)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--sheets", type=Path)
    parser.add_argument("--limit", type=int)
    given = parser.parse_args()
    print("| clip | frames | best lag | median difference, px of 512 | body | face | hands |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for row in pq.read_table(given.dataset / "clips.parquet").to_pylist()[: given.limit]:
        pictures, stored = load(given.dataset, row)
        again = estimate(pictures)
        lag = best_lag(stored, again)
        parts = [
            difference(stored, again, part)
            for part in (slice(0, 133), slice(0, 17), slice(23, 91), slice(91, 133))
        ]
        cells = " | ".join("" if value is None else f"{value:.2f}" for value in parts)
        print(
            f"| {row['locator']} {row['start']} | {row['frames']} | {lag} | {cells} |", flush=True
        )
        if given.sheets:
            given.sheets.mkdir(parents=True, exist_ok=True)
            sheet(
                pictures,
                stored,
                given.sheets / f"{Path(row['locator']).stem}-{row['start']}-{row['person']}.png",
            )


def load(dataset: Path, row: dict[str, Any]) -> tuple[list[np.ndarray], np.ndarray]:
    """RGB pictures and pose (F, 133, 3) of one clip."""
    movie = read_member(
        dataset / str(row["video_shard"]), offset=int(row["mp4_offset"]), size=int(row["mp4_size"])
    )
    pose = read_member(
        dataset / str(row["motion_shard"]),
        offset=int(row["pose_offset"]),
        size=int(row["pose_size"]),
    )
    with av.open(io.BytesIO(movie), "r") as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return pictures, np.load(io.BytesIO(pose))


def estimate(pictures: list[np.ndarray]) -> np.ndarray:
    """(F, 133, 3) by the default backend."""
    stage = build(Run()).on_clip[0]
    if not isinstance(stage, EstimatePose):
        raise TypeError("the first stage of a candidate is pose")
    with stage.backend.track() as tracker:
        return np.stack([tracker(picture) for picture in pictures])


def difference(one: np.ndarray, other: np.ndarray, part: slice = slice(0, 133)) -> float | None:
    """Median distance in pixels over the joints that both see, or None where there are none."""
    a, b = one[:, part], other[:, part]
    seen = (a[..., 2] >= 0.5) & (b[..., 2] >= 0.5)
    if not seen.any():
        return None
    return float(np.median(np.linalg.norm(a[..., :2] - b[..., :2], axis=-1)[seen]))


def best_lag(one: np.ndarray, other: np.ndarray) -> int:
    """Frames by which the second is later, where the mean distance of the joints that move is least."""

    def distance(lag: int) -> float:
        a = one[max(0, -lag) : len(one) - max(0, lag)]
        b = other[max(0, lag) : len(other) - max(0, -lag)]
        seen = (a[..., 2] >= 0.5) & (b[..., 2] >= 0.5)
        return float(np.mean(np.linalg.norm(a[..., :2] - b[..., :2], axis=-1)[seen]))

    return min(LAGS, key=distance)


def sheet(pictures: list[np.ndarray], pose: np.ndarray, out: Path, count: int = 8) -> None:
    """Evenly spread frames with their skeletons."""
    chosen = np.linspace(0, len(pictures) - 1, count).astype(int)
    drawn = contact_sheet([draw_pose(pictures[i], pose[i]) for i in chosen], columns=4)
    cv2.imwrite(str(out), cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
