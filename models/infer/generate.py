"""From a voice and a person to files: motion, a skeleton video with the voice, and what video generators take in."""

import json
import wave
from collections.abc import Mapping, Sequence, Set
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32, Int16, UInt8

from manifests.errors import UserError
from manifests.files import replacing_folder
from manifests.geometry import SAMPLE_RATE
from models.infer.generator import Person
from models.infer.guides import write_guides
from models.infer.video import write_skeleton_video, write_video

OURS = {
    *("pose.npy", "reference.npy", "reference.png", "voice.wav", "skeleton.mp4", "video.mp4"),
    *("guides", "facts.json"),
}


class OutError(UserError):
    """A folder that cannot be made, or that holds something else."""


def write_motion(
    out: Path,
    pose: Float32[np.ndarray, "time 133 3"],
    *,
    sound: Int16[np.ndarray, " samples"],
    person: Person,
    guides: Sequence[str],
    facts: Mapping[str, Any],
    frames: UInt8[np.ndarray, "time height width 3"] | None = None,
) -> Path:
    """A folder, whole or not at all, in the place of an earlier one of ours.

    pose.npy: as in a dataset. skeleton.mp4: drawn, with the voice. voice.wav: 16 kHz mono. reference.npy and, where
    there is one, reference.png: the person. video.mp4: the frames, of systems that make them. guides/: for pose-guided
    generators. facts.json: how it was made. Raises OutError for a folder that holds something else or cannot be made.
    """
    out = free_place(out)
    try:
        with replacing_folder(out) as temporary:
            np.save(temporary / "pose.npy", pose, allow_pickle=False)
            np.save(temporary / "reference.npy", person.pose, allow_pickle=False)
            if person.picture is not None:
                picture = cv2.cvtColor(person.picture, cv2.COLOR_RGB2BGR)
                cv2.imwrite(str(temporary / "reference.png"), picture)
            write_wave(temporary / "voice.wav", sound)
            write_skeleton_video(temporary / "skeleton.mp4", pose, sound=sound)
            if frames is not None:
                write_video(temporary / "video.mp4", frames, sound=sound)
            if guides:
                voice = temporary / "voice.wav"
                write_guides(
                    temporary, pose, reference=person.picture, sound=voice, dialects=guides
                )
            whole = json.dumps(dict(facts), indent=2, ensure_ascii=False)
            (temporary / "facts.json").write_text(whole + "\n")
    except OSError as error:
        raise OutError(f"{out} cannot be made: {error.strerror or error}") from error
    return out


def free_place(out: Path, ours: Set[str] = OURS, *, mark: str = "facts.json") -> Path:
    """The folder in full, if it is not there, empty, or an earlier one of ours. Raises OutError.

    ours: the names that may lie in one of ours, mark among them, which always does.
    """
    place = out.resolve()
    if place.is_dir():
        present = {each.name for each in place.iterdir()}
        foreign = present - ours if mark in present else present
    else:
        foreign = {place.name} if place.exists() else set[str]()
    if foreign:
        raise OutError(f"{out} holds something else ({min(foreign)}); name a new folder")
    return place


def write_wave(file: Path, sound: Int16[np.ndarray, " samples"]) -> None:
    """16 kHz mono, 16 bits."""
    with wave.open(str(file), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(SAMPLE_RATE)
        stream.writeframes(sound.astype("<i2").tobytes())
