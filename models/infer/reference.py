"""The person to be moved: one pose, from a picture, an array or a clip of a dataset."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from manifests.errors import UserError
from manifests.geometry import apply, crop_affine
from manifests.record import Box
from models.data.files import DatasetError, array_in
from models.data.index import SIDE, Crop, Motions
from models.infer.generator import Person
from pipeline.perception.faces.detector import FaceDetector
from pipeline.perception.framing import speaker_box
from pipeline.perception.pose import BACKENDS

LONGEST_SIDE = 640
"""Pixels of the picture that the pose backend sees: as the dataset's pose stage has it."""
LOOKS = 3
"""Times the pose backend looks at a picture: it follows a body from picture to picture, and settles."""
MOST_PIXELS = 100_000_000


class PersonError(UserError):
    """Something that shows no person."""


def person_of(
    given: str,
    dataset: Path | str | None = None,
    *,
    backend: str = "mediapipe",
    crop: Crop | None = None,
) -> Person:
    """A picture file, a `.npy` of (133, 3) or (F, 133, 3), or a clip (its id, the id's first digits, or
    `test:0`).

    Of several frames the one in which most joints are seen is taken. crop: as that of the clips which the model was
    trained on, for a picture file; None: the default. Raises PersonError, DatasetError.
    """
    file = Path(given)
    if file.suffix == ".npy":
        pose = read_pose(file)
        return Person(pose[clearest(pose)], None, f"pose {file.name}")
    if file.is_file():
        return from_picture(
            read_picture(file), backend=backend, name=file.name, crop=crop or Crop()
        )
    motions, number = clip_of(given, dataset)
    pose = motions.pose(number)
    frame = clearest(pose)
    picture = motions.picture(number, frame)
    return Person(pose[frame], picture, f"clip {motions.entries[number].id}, frame {frame}")


def clip_of(given: str, dataset: Path | str | None) -> tuple[Motions, int]:
    """A clip by its id or as `test:0`. Raises PersonError for what is neither, DatasetError."""
    if not re.fullmatch(r"[0-9a-f]{1,24}|(train|val|test):\d+", given):
        raise PersonError(f"there is no file {given}, and it is no clip (an id, or test:0)")
    if dataset is None:
        raise DatasetError(f"the clip {given} needs --data, the dataset it is in")
    motions = Motions.open(dataset)
    return motions, motions.number(given)


def clearest(pose: Float32[np.ndarray, "time 133 3"]) -> int:
    """The frame with the most joints seen at half confidence or more; the first of several."""
    return int((pose[..., 2] >= 0.5).sum(axis=1).argmax())


def read_pose(file: Path) -> Float32[np.ndarray, "time 133 3"]:
    """An array file as poses. Raises PersonError."""
    try:
        with file.open("rb") as stream:
            pose = array_in(stream)
    except (OSError, ValueError) as error:
        raise PersonError(f"{file} is no array of numbers: {error}") from error
    pose = pose[None] if pose.ndim == 2 else pose
    if pose.ndim != 3 or pose.shape[1:] != (133, 3) or not len(pose):
        raise PersonError(f"{file} has shape {pose.shape}, needed (133, 3) or (frames, 133, 3)")
    with np.errstate(over="ignore"):
        floats = pose.astype(np.float32) if pose.dtype.kind == "f" else np.full(1, np.nan)
    if not np.isfinite(floats).all():
        raise PersonError(f"{file} holds {pose.dtype}, needed finite floats")
    return floats


def read_picture(file: Path) -> UInt8[np.ndarray, "height width 3"]:
    """A picture file as RGB. Raises PersonError."""
    try:
        content = np.frombuffer(file.read_bytes(), np.uint8)
    except OSError as error:
        raise PersonError(f"{file} cannot be read: {error.strerror}") from error
    try:
        picture = cv2.imdecode(content, cv2.IMREAD_COLOR) if len(content) else None
    except cv2.error:  # more pixels than it takes in
        picture = None
    if picture is None:
        raise PersonError(f"{file} is no picture that can be read")
    if picture.shape[0] * picture.shape[1] > MOST_PIXELS:
        raise PersonError(
            f"{file} has {picture.shape[:2]} pixels, at most {MOST_PIXELS:,} are taken in"
        )
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB).astype(np.uint8)


def from_picture(
    picture: UInt8[np.ndarray, "height width 3"], *, backend: str, name: str, crop: Crop
) -> Person:
    """The person with the surest face: pose by the dataset's backend, crop by its rule. Raises PersonError."""
    if backend not in BACKENDS:
        raise PersonError(
            f"the model was trained on poses of {backend}, known are {', '.join(BACKENDS)}"
        )
    finder = FaceDetector().load()
    try:
        small, scale = shrunk(picture, LONGEST_SIDE)
        faces = finder(small)
    finally:
        finder.close()
    if not faces:
        raise PersonError(f"{name} shows no face")
    estimator = BACKENDS[backend]()
    if (missing := estimator.missing()) is not None:
        raise PersonError(f"the model was trained on poses of {backend}: {missing}")
    with estimator.track() as tracker:
        pose = [tracker(small) for _ in range(LOOKS)][-1]
    if not (pose[:17, 2] >= estimator.valid_from).any():
        raise PersonError(f"{name} shows no body that {backend} finds")
    full = pose.copy()
    full[:, :2] = (pose[:, :2] + 0.5) / scale - 0.5
    x, y, width, height = (side / scale for side in faces[0].box)
    size = (picture.shape[1], picture.shape[0])
    box = speaker_box(
        full[None],
        (x, y, width, height),
        size=size,
        valid_from=estimator.valid_from,
        margin=crop.margin,
    )
    affine = crop_affine(box, (SIDE, SIDE))
    placed = np.concatenate([apply(affine, full[:, :2]), full[:, 2:]], axis=1).astype(np.float32)
    placed[full[:, 2] <= 0.0] = 0.0
    return Person(placed, cropped(picture, box, crop.size), f"picture {name}")


def cropped(
    picture: UInt8[np.ndarray, "height width 3"], box: Box, size: int
) -> UInt8[np.ndarray, "size size 3"]:
    """The part of a picture in a box, black outside of it; a large one is made small by area first, without moire."""
    small, scale = shrunk(picture, max(1, round(max(picture.shape[:2]) * size / max(box[2:]))))
    x, y, width, height = (side * scale for side in box)
    affine = np.asarray(crop_affine((x, y, width, height), (size, size)), np.float64)
    return cv2.warpAffine(small, affine, (size, size), flags=cv2.INTER_LINEAR).astype(np.uint8)


def shrunk(picture: UInt8[np.ndarray, "height width 3"], longest: int) -> tuple[np.ndarray, float]:
    """(the picture with its longer side at most `longest`, the scale)."""
    scale = min(1.0, longest / max(picture.shape[:2]))
    if scale == 1.0:
        return picture, 1.0
    size = (round(picture.shape[1] * scale), round(picture.shape[0] * scale))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA), scale


def crop_of(facts: Mapping[str, Any]) -> Crop:
    """How the clips that a model was trained on were cut out, as its facts say; the default where they do not."""
    stated = facts.get("crop", {})
    return Crop(int(stated.get("size", Crop().size)), float(stated.get("margin", Crop().margin)))
