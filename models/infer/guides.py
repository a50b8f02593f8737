"""A generated motion as the inputs of published video generators: one folder each, with what its own script reads.

What each reads was found in its public code; the sources stand at `models.infer.canvas` and at the writers here.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Float32, Float64, UInt8

from manifests.geometry import FPS
from models.infer.canvas import DIALECTS, Size
from models.infer.openpose import fit, placing, to_openpose
from models.infer.video import write_video

Picture = UInt8[np.ndarray, "height width 3"]


@dataclass(frozen=True, slots=True)
class Motion:
    """What a guide is made of.

    pose: pixels of the 512 crop at 25 FPS. reference: the person in that crop, square RGB of any size. sound: a WAV.
    """

    pose: Float32[np.ndarray, "time 133 3"]
    reference: Picture | None
    sound: Path | None


def write_guides(
    folder: Path,
    pose: Float32[np.ndarray, "time 133 3"],
    *,
    reference: Picture | None,
    sound: Path | None,
    dialects: Sequence[str],
) -> Path:
    """Write `folder/guides/<generator>/` for each generator of `GUIDES` that is named, and return `folder/guides`.

    It appears whole or not at all, in the place of an earlier one; the same input gives the same bytes. reference: the
    person as the first frame of the pose has them. Raises ValueError for an empty pose, a name that is not in `GUIDES`,
    or a reference that is not square; FileNotFoundError for sound that is not there.
    """
    unknown = [name for name in dialects if name not in GUIDES]
    if unknown or not dialects:
        raise ValueError(f"guides are {', '.join(GUIDES)}, got {', '.join(unknown) or 'none'}")
    if len(pose) == 0:
        raise ValueError("guides need a pose of one frame, got 0")
    if reference is not None and reference.shape[0] != reference.shape[1]:
        width, height = reference.shape[1::-1]
        raise ValueError(f"a reference shows the square crop, got {width}x{height}")
    if sound is not None and not sound.is_file():
        raise FileNotFoundError(f"{sound} is no file")
    motion = Motion(pose, reference, sound)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.resolve(), prefix=".guides-") as temporary:
        made = Path(temporary, "new")
        for name in dict.fromkeys(dialects):
            place = made / name
            place.mkdir(parents=True)
            GUIDES[name](place, motion)
        return _commit(made, folder / "guides", aside=Path(temporary, "old"))


def resample(
    pose: Float[np.ndarray, "time 133 3"], fps: int
) -> Float32[np.ndarray, "frames 133 3"]:
    """A 25 FPS pose at another rate, as many whole frames as fit into its time, at least one.

    Positions and confidences lie on the line between the two neighbouring frames; a joint that one of them lacks is
    taken from the nearer one, the earlier on a tie. The last frame stands until its time is over.
    """
    frames = max(1, len(pose) * fps // FPS)
    ticks = np.arange(frames) * FPS  # in units of 1 / (25 * fps) seconds
    left = ticks // fps
    right = np.minimum(left + 1, len(pose) - 1)
    weight = ((ticks % fps) / fps)[:, None, None]
    before, after = pose[left].astype(np.float64), pose[right].astype(np.float64)
    both = (before[..., 2:] > 0.0) & (after[..., 2:] > 0.0)
    nearer = np.where(weight <= 0.5, before, after)
    return np.where(both, before + weight * (after - before), nearer).astype(np.float32)


# ---- the generators ----------------------------------------------------------------------------------------


def _stableanimator(place: Path, motion: Motion) -> None:
    """Francis-Rings/StableAnimator, inference_basic.py: PNGs sorted by the number after the first underscore."""
    size = (512, 512)
    _write_pictures(place / "poses", _drawn("stableanimator", motion.pose, size), "frame_{}.png")
    _write_reference(place / "reference.png", motion, size)
    _write_readme(
        place,
        motion,
        f"""StableAnimator: {len(motion.pose)} pose pictures of 512x512 at 25 FPS.

python inference_basic.py --validation_control_folder=<here>/poses --validation_image=<here>/reference.png \\
  --width=512 --height=512 --guidance_scale=3.0 --num_inference_steps=25 --tile_size=16 --frames_overlap=4 \\
  --noise_aug_strength=0.02 --decode_chunk_size=4 --pretrained_model_name_or_path=<SVD-XT> \\
  --posenet_model_name_or_path=<pose_net.pth> --face_encoder_model_name_or_path=<face_encoder.pth> \\
  --unet_model_name_or_path=<unet.pth> --output_dir=<out>

Play the frames of <out>/animated_images at 25 FPS: the rate of the video that it writes itself is another.
Sound is not read; add it to the video.""",
    )


def _mimicmotion(place: Path, motion: Motion) -> None:
    """Tencent/MimicMotion, inference.py and configs/test.yaml: 576x1024, each second frame of 30 FPS, saved at 15."""
    size, fps = (576, 1024), 15
    pose = resample(motion.pose, fps)
    _write_pictures(place / "poses", _drawn("mimicmotion", pose, size), "{:04d}.png")
    _write_png(place / "reference_pose.png", next(_drawn("mimicmotion", pose[:1], size)))
    _write_reference(place / "reference.png", motion, size)
    _write_readme(
        place,
        motion,
        f"""MimicMotion: {len(pose)} pose pictures of 576x1024 at 15 FPS; the square crop lies across the middle.

inference.py finds poses in a video and has no option for drawn ones. In its `preprocess`, put these pictures in the
place of what `get_image_pose` (reference_pose.png) and `get_video_pose` (poses/*.png, in order) return: RGB, channels
first, the reference's first; then run
python inference.py --inference_config configs/test.yaml    (ref_image_path: reference.png, fps: 15)

15 FPS is what its stride of 2 makes of a 30 FPS video: leave the stride out, these frames are strided already.
The colours are those that reach its network, red and blue exchanged: do not exchange them again.
reference_pose.png is the pose of the first frame. Sound is not read; add it to the video.""",
    )


def _echomimic_v2(place: Path, motion: Motion) -> None:
    """antgroup/echomimic_v2, infer.py: one pickled dict a frame, 0.npy and on, in a folder that holds nothing else."""
    size, fps = (768, 768), 24
    pose = resample(motion.pose, fps)
    (place / "poses").mkdir()
    for number, frame in enumerate(pose):
        entry = np.array(_detected(frame, size, number), dtype=object)
        np.save(place / "poses" / f"{number}.npy", entry, allow_pickle=True)
    _write_reference(place / "reference.png", motion, size)
    if motion.sound is not None:
        shutil.copyfile(motion.sound, place / "audio.wav")
    _write_readme(
        place,
        motion,
        f"""EchoMimicV2: {len(pose)} poses at 24 FPS for pictures of 768x768; it draws the hands itself.

python infer.py --config=./configs/prompts/infer.yaml -W 768 -H 768 -L {len(pose)} --fps 24 \\
  --ref_images_dir <folder above> --refimg_name {place.name}/reference.png \\
  --audio_dir <here> --audio_name audio.wav --pose_dir <here> --pose_name poses

The .npy files are pickled dicts, as that script reads them, and need NumPy 1.26.1 or later.
The hands must lie where the reference picture has them, or it draws others.""",
        sound=True,
    )


def _wan_animate(place: Path, motion: Motion) -> None:
    """Wan-Video/Wan2.2, wan/animate.py (prepare_source) and preprocess/process_pipepline.py: 30 FPS, the area of
    1280x720 with sides of a multiple of 16, which for a square is 960x960."""
    size, fps = (960, 960), 30
    pose = resample(motion.pose, fps)
    write_video(place / "src_pose.mp4", _drawn("wan_animate", pose, size), fps=fps, crf=10)
    _write_reference(place / "src_ref.png", motion, size)
    _write_readme(
        place,
        motion,
        f"""Wan2.2-Animate: {len(pose)} pose pictures of 960x960 at 30 FPS, as a video.

python generate.py --task animate-14B --ckpt_dir ./Wan2.2-Animate-14B/ --src_root_path <here> --refert_num 1

MISSING: src_face.mp4. It will not run without: {len(pose)} frames at 30 FPS of 512x512, the face that drives the
expression, cut from a video of a person. A skeleton has no such face.
Sound is not read; add it to the video.""",
        reference="src_ref.png",
    )


def _unianimate(place: Path, motion: Motion) -> None:
    """UniAnimate-DiT, examples/unianimate_wan/inference_unianimate_wan_480p.py, read in forks: every file of the folder
    but pose.jpg is a frame, in the order of the names; pose.jpg is the pose of the reference; 480x832, saved at 15 FPS.
    """
    size, fps = (480, 832), 15
    pose = resample(motion.pose, fps)
    _write_pictures(place / "poses", _drawn("unianimate", pose, size), "{:06d}.png")
    first = next(_drawn("unianimate", pose[:1], size))
    _write(place / "poses" / "pose.jpg", first, [cv2.IMWRITE_JPEG_QUALITY, 95])
    _write_reference(place / "reference.png", motion, size)
    _write_readme(
        place,
        motion,
        f"""UniAnimate-DiT: {len(pose)} pose pictures of 480x832 at 15 FPS; the square crop lies across the middle.

In examples/unianimate_wan/inference_unianimate_wan_480p.py set
  test_list_path = [[1, "<here>/reference.png", "<here>/poses"]]
and run: CUDA_VISIBLE_DEVICES="0" python examples/unianimate_wan/inference_unianimate_wan_480p.py

It makes 81 frames (5.4 s), of a longer motion from a random start; for all of it take
inference_unianimate_wan_long_video_480p.py. Put nothing else into poses/.
pose.jpg is the pose of the first frame. Do not run run_align_pose.py: it empties the folder.
Sound is not read; add it to the video.""",
    )


GUIDES: dict[str, Callable[[Path, Motion], None]] = {
    "stableanimator": _stableanimator,
    "mimicmotion": _mimicmotion,
    "echomimic_v2": _echomimic_v2,
    "wan_animate": _wan_animate,
    "unianimate": _unianimate,
}

# ---- EchoMimicV2's dict ------------------------------------------------------------------------------------


def _detected(frame: Float32[np.ndarray, "133 3"], size: Size, number: int) -> dict[str, object]:
    """What DWPose's detector says of one person, in fractions of the picture, and the box of it to be drawn in.

    Keys: antgroup/echomimic_v2, src/models/dwpose/dwpose_detector.py and demo.ipynb. A body joint is its own number
    where its confidence is above 0.3, else -1.
    """
    found = to_openpose(fit(frame, size))
    sizes = np.array([size[0], size[1], 1.0])
    body, hands, face = found.body / sizes, found.hands / sizes, found.face / sizes
    seen = np.where(body[:, 2] > 0.3, np.arange(len(body)), -1).astype(np.float64)
    return {
        "bodies": {"candidate": _xy(body), "subset": seen[None], "score": body[None, :, 2].copy()},
        "hands": _xy(hands),
        "hands_score": hands[..., 2].copy(),
        "faces": _xy(face)[None],
        "faces_score": face[None, :, 2].copy(),
        "num": number,
        "draw_pose_params": [
            size[1],
            size[0],
            0,
            size[1],
            0,
            size[0],
        ],  # height, width; rows, columns
    }


def _xy(joints: Float64[np.ndarray, "*joints 3"]) -> Float64[np.ndarray, "*joints 2"]:
    return np.ascontiguousarray(joints[..., :2])


# ---- files -------------------------------------------------------------------------------------------------


def _drawn(dialect: str, pose: Float[np.ndarray, "time 133 3"], size: Size) -> Iterator[Picture]:
    """The pictures; beside the crop they are black, as the reference is: nobody is to be painted there."""
    _, left, top = placing(size)
    side = min(size)
    for frame in pose:
        picture = np.zeros((size[1], size[0], 3), dtype=np.uint8)
        inside = np.s_[top : top + side, left : left + side]
        picture[inside] = DIALECTS[dialect](frame, size)[inside]
        yield picture


def _write_pictures(folder: Path, pictures: Iterator[Picture], name: str) -> None:
    folder.mkdir()
    for number, picture in enumerate(pictures):
        _write_png(folder / name.format(number), picture)


def _write_png(file: Path, picture: Picture) -> None:
    _write(file, picture, [cv2.IMWRITE_PNG_COMPRESSION, 3])


def _write(file: Path, picture: Picture, options: Sequence[int]) -> None:
    done, content = cv2.imencode(file.suffix, picture[..., ::-1], options)
    if not done:
        raise OSError(f"{file.name} could not be encoded")
    file.write_bytes(content.tobytes())


def _write_reference(file: Path, motion: Motion, size: Size) -> None:
    """The reference placed as the poses are, black around it; nothing where there is none."""
    if motion.reference is None:
        return
    _, left, top = placing(size)
    side = min(size)
    smaller = side < len(motion.reference)
    kind = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    placed = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    placed[top : top + side, left : left + side] = cv2.resize(
        motion.reference, (side, side), interpolation=kind
    )
    _write_png(file, placed)


def _write_readme(
    place: Path, motion: Motion, text: str, *, reference: str = "reference.png", sound: bool = False
) -> None:
    """What reads the folder, then what it lacks."""
    lacking: list[str] = []
    if motion.reference is None:
        lacking.append(
            f"\nMISSING: {reference}. No reference picture was given: put the person there, in the first frame's pose."
        )
    if sound and motion.sound is None:
        lacking.append("\nMISSING: audio.wav. No sound was given: put the speech there.")
    (place / "README.txt").write_text("\n".join([text, *lacking]) + "\n", encoding="utf-8")


def _commit(made: Path, target: Path, *, aside: Path) -> Path:
    """Put a finished folder in its place; what was there goes with the temporary folder."""
    if target.exists():
        target.rename(aside)
    try:
        made.rename(target)
    except OSError:
        if aside.exists():
            aside.rename(target)
        raise
    return target
