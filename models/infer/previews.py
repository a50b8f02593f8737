"""What a model makes of a clip that it was not trained on: the motion, to be measured, and a video beside the truth."""

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from models.data.features import Features
from models.data.index import Motions
from models.infer.generator import Generator, Person
from models.infer.video import write_skeleton_video


def preview(
    generator: Generator, motions: Motions, voices: Features, number: int, folder: Path
) -> Float32[np.ndarray, "time 133 3"]:
    """A clip's voice and middle pose through a model: the motion; and a video of both motions in `folder`."""
    entry, pose = motions.entries[number], motions.pose(number)
    person = Person(pose[len(pose) // 2], None, f"clip {entry.id}")
    made = generator.generate(voices.rows(entry), person, seed=number).pose
    folder.mkdir(parents=True, exist_ok=True)
    write_skeleton_video(folder / f"{entry.id}.mp4", made, sound=motions.sound(number), beside=pose)
    return made
