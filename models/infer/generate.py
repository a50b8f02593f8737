"""From a voice and a person to files: motion, a skeleton video with the voice, and what video generators take in."""

import json
import os
import shutil
import wave
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float32, Int16

from manifests.geometry import SAMPLE_RATE
from models.infer.guides import write_guides
from models.infer.reference import Person
from models.infer.video import write_skeleton_video


def write_motion(
    out: Path,
    pose: Float32[np.ndarray, "time 133 3"],
    *,
    sound: Int16[np.ndarray, " samples"],
    person: Person,
    guides: Sequence[str],
    facts: Mapping[str, Any],
) -> Path:
    """A folder, whole or not at all, in the place of an earlier one of ours.

    pose.npy: as in a dataset. skeleton.mp4: drawn, with the voice. voice.wav: 16 kHz mono. reference.npy and, where
    there is one, reference.png: the person. guides/: for pose-guided generators. facts.json: how it was made. Raises
    FileExistsError for a folder that holds something else.
    """
    if out.exists() and not (out / "facts.json").is_file() and any(out.iterdir()):
        raise FileExistsError(f"{out} holds something else; name a new folder")
    temporary = out.with_name(f".{out.name}.{os.getpid()}")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        np.save(temporary / "pose.npy", pose, allow_pickle=False)
        np.save(temporary / "reference.npy", person.pose, allow_pickle=False)
        if person.picture is not None:
            cv2.imwrite(
                str(temporary / "reference.png"), cv2.cvtColor(person.picture, cv2.COLOR_RGB2BGR)
            )
        write_wave(temporary / "voice.wav", sound)
        write_skeleton_video(temporary / "skeleton.mp4", pose, sound=sound)
        if guides:
            write_guides(
                temporary,
                pose,
                reference=person.picture,
                sound=temporary / "voice.wav",
                dialects=guides,
            )
        (temporary / "facts.json").write_text(
            json.dumps(dict(facts), indent=2, ensure_ascii=False) + "\n"
        )
        shutil.rmtree(out, ignore_errors=True)
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return out


def write_wave(file: Path, sound: Int16[np.ndarray, " samples"]) -> None:
    """16 kHz mono, 16 bits."""
    with wave.open(str(file), "wb") as stream:
        stream.setnchannels(1)
        stream.setsampwidth(2)
        stream.setframerate(SAMPLE_RATE)
        stream.writeframes(sound.astype("<i2").tobytes())
