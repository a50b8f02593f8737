"""A small dataset made by hand: a few clips of smooth poses and a voice, in the layout that `csg-data build` writes."""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import soundfile

from manifests import keypoints as kp
from manifests import tables
from manifests.geometry import SAMPLE_RATE, SAMPLES_PER_FRAME
from manifests.shards import Member, write_tar
from models.data.features import Features
from models.infer.video import write_video

HIDDEN = range(8, 14)
"""Frames of the second clip in which its left hand is out of sight."""


@dataclass(frozen=True, slots=True)
class Made:
    """One clip as it is to be written. pose, sound, film, record: instead of what the seed gives.

    record: the JSON of the clip, else little more than its pose backend.
    """

    seed: int
    frames: int = 30
    split: str = "train"
    identity: str = "ada"
    shard: str = "all"
    pose: np.ndarray | None = None
    sound: np.ndarray | None = None
    movie: bool = False
    use: str | None = None
    synthetic: str | None = None
    film: np.ndarray | None = None
    record: str | None = None
    id: str = field(default="", kw_only=True)

    @property
    def clip(self) -> str:
        return self.id or hashlib.sha256(b"clip %d" % self.seed).hexdigest()[:24]

    def poses(self) -> np.ndarray:
        return smooth_pose(self.seed, self.frames) if self.pose is None else self.pose

    def voice(self) -> np.ndarray:
        return voice(self.seed, self.frames) if self.sound is None else self.sound


CLIPS = (
    Made(0, 30, "train", "ada"),
    Made(1, 44, "train", "ada"),
    Made(2, 61, "train", "bea", shard="b"),
    Made(3, 75, "train", "bea", shard="b"),
    Made(4, 25, "train", "cid", shard="b"),
    Made(5, 36, "val", "dan", movie=True),
    Made(6, 50, "test", "eve"),
)


def smooth_pose(seed: int, frames: int) -> np.ndarray:
    """133 joints that sway around where they are in a person that sits in the crop; confidence near 1."""
    random = np.random.default_rng(seed)
    at = np.zeros((kp.JOINTS, 2))
    at[kp.BODY] = np.array(
        [
            *([256, 150], [266, 142], [246, 142], [280, 150], [232, 150], [320, 250], [192, 250]),
            *([350, 340], [162, 340], [330, 400], [182, 400], [290, 470], [222, 470], [290, 560]),
            *([222, 560], [290, 640], [222, 640]),
        ]
    )
    at[kp.FEET] = np.array([[290, 660]] * 3 + [[222, 660]] * 3) + np.arange(6)[:, None]
    at[kp.FACE] = np.array([256.0, 152.0]) + random.uniform(-24, 24, (68, 2))
    for hand, wrist in ((kp.LEFT_HAND, kp.LEFT_WRIST), (kp.RIGHT_HAND, kp.RIGHT_WRIST)):
        at[hand] = at[wrist] + random.uniform(-18, 18, (21, 2))
    time = np.arange(frames)[:, None, None] / 25.0
    rate, phase = random.uniform(0.3, 1.5, (2, kp.JOINTS, 2))
    sway = random.uniform(2.0, 9.0, (kp.JOINTS, 2)) * np.sin(2 * np.pi * rate * time + 6 * phase)
    confidence = random.uniform(0.8, 1.0, (frames, kp.JOINTS, 1))
    pose = np.concatenate([at + sway, confidence], axis=-1).astype(np.float32)
    if seed == 1:
        pose[list(HIDDEN), kp.LEFT_HAND] = 0.0
    return pose


def voice(seed: int, frames: int) -> np.ndarray:
    """A tone that rises and falls in pitch and in loudness, over a little noise; int16 at 16 kHz."""
    random = np.random.default_rng(1_000 + seed)
    time = np.arange(frames * SAMPLES_PER_FRAME) / SAMPLE_RATE
    pitch = 140.0 + 30.0 * np.sin(2 * np.pi * random.uniform(0.4, 1.2) * time)
    loud = 0.25 + 0.2 * np.sin(2 * np.pi * 3.0 * time + random.uniform(0, 6))
    tone = sum(np.sin(n * 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE) / n for n in (1, 2, 3, 5))
    return (9_000 * loud * tone + random.normal(0.0, 30.0, len(time))).astype(np.int16)


def pictures(frames: int) -> np.ndarray:
    """RGB pictures of 512 x 512, each of one grey that says which frame it is."""
    greys = (20 + 5 * np.arange(frames)).astype(np.uint8)
    return np.broadcast_to(greys[:, None, None, None], (frames, 512, 512, 3))


def write_dataset(folder: Path, clips: Sequence[Made] = CLIPS) -> Path:
    """A dataset folder; what lay there is overwritten. Returns it."""
    rows: dict[str, dict[str, object]] = {}
    for family in ("motion", "video"):
        (folder / family).mkdir(parents=True, exist_ok=True)
    for shard in sorted({(clip.split, clip.shard) for clip in clips}):
        inside = [clip for clip in clips if (clip.split, clip.shard) == shard]
        name = f"motion/{shard[0]}-{shard[1]}-000.tar"
        members = [
            part for clip in sorted(inside, key=lambda c: c.clip) for part in members_of(clip)
        ]
        placed = {part.name: part for part in write_tar(folder / name, name, members)}
        for clip in inside:
            rows[clip.clip] = row_of(clip, placed) | movie_of(clip, folder)
    ordered = [rows[clip] for clip in sorted(rows)]
    empty = dict.fromkeys(tables.CLIPS.names)
    tables.write([empty | row for row in ordered], tables.CLIPS, folder / "clips.parquet")
    revisions = "".join(str(row["revision"]) for row in ordered)
    root = hashlib.sha256(revisions.encode()).hexdigest()
    (folder / "dataset.json").write_text(json.dumps({"root": root, "schema_version": 1}))
    return folder


def members_of(clip: Made) -> list[tuple[str, bytes]]:
    """The members of a clip's motion, as they stand in its shard."""
    array, sound = io.BytesIO(), io.BytesIO()
    np.save(array, clip.poses())
    soundfile.write(sound, clip.voice(), SAMPLE_RATE, format="FLAC")
    facts = json.dumps({"id": clip.clip, "pose": {"backend": {"name": "mediapipe"}}})
    return [
        (f"{clip.clip}.pose.npy", array.getvalue()),
        (f"{clip.clip}.flac", sound.getvalue()),
        (f"{clip.clip}.json", (clip.record or facts).encode()),
    ]


def row_of(clip: Made, placed: dict[str, Member]) -> dict[str, object]:
    """A clip's row of clips.parquet."""
    row: dict[str, object] = {
        "id": clip.clip,
        "split": clip.split,
        "use": clip.use,
        "synthetic": clip.synthetic,
        "identity": f"speaker:{clip.identity}",
        "locator": f"{clip.identity}.mp4",
        "frames": clip.frames,
    }
    hashes = ""
    for ending, name in (("pose.npy", "pose"), ("flac", "flac"), ("json", "json")):
        member = placed[f"{clip.clip}.{ending}"]
        row |= {f"{name}_offset": member.offset, f"{name}_size": member.size}
        row["motion_shard"] = member.shard
        hashes += member.sha256
    return row | {"revision": hashlib.sha256(hashes.encode()).hexdigest()}


def movie_of(clip: Made, folder: Path) -> dict[str, object]:
    """Where a clip's video lies, written now; empty without one."""
    if not clip.movie and clip.film is None:
        return {"video_shard": "", "mp4_offset": 0, "mp4_size": 0}
    name, film = f"video/{clip.split}-{clip.shard}-000.tar", folder / ".film.mp4"
    write_video(film, iter(pictures(clip.frames) if clip.film is None else clip.film))
    (member,) = write_tar(folder / name, name, [(f"{clip.clip}.mp4", film.read_bytes())])
    film.unlink()
    return {"video_shard": name, "mp4_offset": member.offset, "mp4_size": member.size}


def local(features: Features) -> Path:
    """The folder of a family on this machine."""
    assert features.folder.local is not None
    return features.folder.local


def changed(clips: Sequence[Made], number: int, **fields: object) -> tuple[Made, ...]:
    """The clips with one of them changed; its id stays."""
    other = replace(clips[number], **{"id": clips[number].clip, **fields})  # type: ignore[arg-type]
    return (*clips[:number], other, *clips[number + 1 :])


def save_network(kind: str, folder: Path, *, seed: int = 0, norm: str = "layer") -> Path:
    """A tiny random network of one kind, as its generators would publish it."""
    import torch
    import transformers

    name = {"wav2vec2": "Wav2Vec2", "hubert": "Hubert", "wavlm": "WavLM"}[kind]
    torch.manual_seed(seed)
    config = getattr(transformers, f"{name}Config")(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        conv_dim=(16,) * 7,
        num_conv_pos_embeddings=8,
        num_conv_pos_embedding_groups=2,
        feat_extract_norm=norm,
    )
    getattr(transformers, f"{name}Model")(config).save_pretrained(folder)
    return folder


# ---- what the released code of Yang et al. 2025 writes and reads --------------------------------------------------


def released_layout(pose: np.ndarray) -> np.ndarray:
    """Its layout of a pose in pixels, in half crops, (F, 124, 2): the neck, then the joints without the legs, 13 to 22,
    all from the neck but the face, which is from joint 0, and the hands, from joints 9 and 10 (specs, section 1.3)."""
    points = pose[..., :2].astype(np.float64) / 256.0
    neck = (points[:, 5:6] + points[:, 6:7]) / 2.0
    local = points - neck
    local[:, 23:91] -= local[:, 0:1].copy()
    local[:, 91:112] -= local[:, 9:10].copy()
    local[:, 112:133] -= local[:, 10:11].copy()
    return np.concatenate([neck, np.delete(local, range(13, 23), axis=1)], axis=1)


def write_checkpoint(file: Path, *, width: int, depth: int, hidden: int, audio: int) -> Path:
    """A random network as its trainer saves it, names and shapes spelled out, with a part of its audio encoder."""
    import torch

    random = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return 0.05 * torch.randn(shape, generator=random)

    held = {"audio_learnable": draw(width), "aud_m.encoder.layer_norm.weight": draw(7)}
    sizes = {
        "concat_to_hidden.0": (4 * width, 2 * width),
        "concat_to_hidden.2": (width, 4 * width),
        "embed_audio": (width, audio),
        "embed_timestep.time_embed.0": (width, width),
        "embed_timestep.time_embed.2": (width, width),
        "input_process.poseEmbedding": (width, 246),
        "output_process.poseFinal": (246, width),
    }
    for number in range(depth):
        layer = f"seqTransEncoder.layers.{number}"
        held[f"{layer}.self_attn.in_proj_weight"] = draw(3 * width, width)
        held[f"{layer}.self_attn.in_proj_bias"] = draw(3 * width)
        sizes |= {
            f"{layer}.self_attn.out_proj": (width, width),
            f"{layer}.linear1": (hidden, width),
            f"{layer}.linear2": (width, hidden),
        }
        for norm in ("norm1", "norm2"):
            held |= {
                f"{layer}.{norm}.weight": 1.0 + draw(width),
                f"{layer}.{norm}.bias": draw(width),
            }
    for name, shape in sizes.items():
        held |= {f"{name}.weight": draw(*shape), f"{name}.bias": draw(shape[0])}
    for table in ("sequence_pos_encoder", "embed_timestep.sequence_pos_encoder"):
        held[f"{table}.pe"] = torch.zeros(5000, 1, width)
    moments = {0: {"step": torch.tensor(3.0), "exp_avg": draw(width)}}
    optimizer = {"state": moments, "param_groups": [{"lr": 5e-5, "betas": (0.9, 0.999)}]}
    torch.save({"model": held, "optimizer": optimizer, "step": 3, "mean_loss": 0.5}, file)
    return file


def write_statistics(folder: Path, mean: np.ndarray, std: float) -> Path:
    """Mean, (124, 2), and std as they were released, for one person."""
    folder.mkdir(exist_ok=True)
    for name, rows in (("Mean", mean), ("Std", np.full_like(mean, std))):
        np.save(folder / f"{name}_pose_rescaled_local_smooth_no_leg.npy", rows[None])
    return folder
