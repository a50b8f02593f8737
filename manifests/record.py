"""The records that flow from the source list to the training batch: Source, Clip and their sections, Decision.

Conventions, said once for every field below:

- time is an integer frame on the source's 25 FPS grid (`geometry.FPS`); frame 0 is the first video timestamp;
- spans are half-open, `[start, stop)`;
- sizes are `(width, height)`; boxes are `(x, y, width, height)`; points are `(x, y)`; all in
  pixels, pixel centres at integers;
- "upright pixels" are those of a decoded frame after its rotation and pixel aspect ratio were undone;
- a section that no stage has written yet is `None`; text that is not known is `None`; there are no sentinel numbers.
"""

from enum import StrEnum
from fractions import Fraction
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1

Box = tuple[float, float, float, float]
Affine = tuple[tuple[float, float, float], tuple[float, float, float]]
SplitName = Literal["train", "val", "test"]
Use = Literal["all", "train"]
"""What a clip may serve for: `all`, or `train`, training alone."""
Synthetic = Literal["dubbed", "generated"]
"""`dubbed`: another voice than the one that these lips spoke; `generated`: a picture, or lips, that a model made."""


class Record(BaseModel):
    """Base of every record: frozen, unknown fields refused, NaN and infinity refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Why(StrEnum):
    """Every reason for which something is not in the dataset, or for training only, in the order of the flow.

    The order is the precedence of the accounting: a frame that several candidates covered takes the reason that lies
    furthest along the flow, since that candidate came nearest to being kept.
    """

    # fetch
    BAD_ROW = "unreadable_row"
    UNREACHABLE = "unreachable"
    REMOVED = "removed"
    PRIVATE = "private"
    NOT_MEDIA = "not_media"
    LICENCE = "licence_not_allowed"
    OPTED_OUT = "opted_out"
    # probe
    NO_VIDEO = "no_video"
    NO_AUDIO = "no_audio"
    TOO_SHORT = "too_short"
    FRAME_TOO_SMALL = "frame_too_small"
    UNDECODABLE = "undecodable"
    FRAMES_MISSING = "frames_missing"
    # speech
    NO_SPEECH = "no_speech"
    TURN_TOO_SHORT = "turn_too_short"
    # shots
    SHOT_TOO_SHORT = "shot_too_short"
    # people
    NOBODY = "nobody_in_view"
    # spans
    SPAN_TOO_SHORT = "span_too_short"
    OVERLAPPED_SPEECH = "overlapped_speech"
    MUSIC = "music_under_speech"
    TOO_SMALL = "figure_too_small"
    CLOSE_UP = "close_up"
    FACE_TURNED = "face_turned"
    FROZEN = "frozen_picture"
    LOW_PICTURE_RATE = "few_new_pictures"
    # pose and posture
    NO_POSE = "no_pose"
    UPPER_BODY_MISSING = "upper_body_missing"
    BACK_VIEW = "back_view"
    SIDE_VIEW = "side_view"
    FACE_HIDDEN = "face_hidden"
    STATIC = "static"
    # sync
    NOT_SPEAKER = "not_the_speaker"
    OUT_OF_SYNC = "out_of_sync"
    # crop
    OUTSIDE_FRAME = "outside_frame"
    ENLARGED = "enlarged_too_much"
    # identity and split
    DUPLICATE = "duplicate"
    BOTH_SIDES = "identity_on_two_sides"
    SYNTHETIC = "synthetic"
    HELD_OUT = "person_held_out"
    # run
    FAILED = "failed"


class Blob(Record):
    """An array or file in the run's content-addressed store: named by what it holds."""

    sha256: str
    suffix: str = Field(description="file name ending with its dot, such as .npy or .mp4")
    bytes: int


class Backend(Record):
    """Who computed a measurement: enough to say whether it would come out the same again."""

    name: str
    version: str
    weights: str | None = Field(
        default=None, description="SHA-256 of the weights, where there are any"
    )


# ---- the source and its sections -------------------------------------------------------------------------------------


class Origin(Record):
    """One row of a source list: where to find a video and what is known of it before looking."""

    locator: str = Field(description="youtube:ID, a URL, or a path; removal and split go by it")
    speaker: str | None = None
    speech_type: str | None = None
    licence: str | None = None
    title: str | None = None
    language: str | None = None
    synthetic: Synthetic | None = Field(
        default=None, description="dubbed or generated, as the list says; None: real, or not known"
    )


class Page(Record):
    """What the web page of a source said, as far as yt-dlp reads it."""

    url: str
    extractor: str
    title: str | None = None
    uploader: str | None = None
    upload_date: str | None = None
    licence: str | None = None
    description: str | None = None
    tags: tuple[str, ...] = ()


class Fetched(Record):
    """The bytes of the source (stage fetch)."""

    sha256: str
    bytes: int
    path: str = Field(
        description="where the bytes lie for this run; not part of any key or of the dataset"
    )
    licence: str | None = None
    page: Page | None = None


class AudioStream(Record):
    """The first sound stream of a file."""

    codec: str
    sample_rate: int
    channels: int
    start: Fraction = Field(
        description="seconds from the first video timestamp to the first audio sample; negative: earlier"
    )
    seconds: float


class Media(Record):
    """Streams, size and time base as they are in the file (stage probe)."""

    container: str
    codec: str
    size: tuple[int, int] = Field(
        description="stored pixels, before rotation and pixel aspect ratio"
    )
    rotation: Literal[0, 90, 180, 270] = Field(
        description="degrees clockwise that make a stored frame upright"
    )
    pixel_aspect: Fraction
    upright_size: tuple[int, int]
    full_range: bool
    rate: Fraction = Field(description="mean frames per second over the file")
    variable_rate: bool
    time_base: Fraction = Field(description="seconds per tick of the timeline")
    timeline: Blob = Field(
        description=".npy of int64 presentation timestamps in ticks, sorted, one per source frame"
    )
    source_frames: int
    grid_frames: int = Field(description="frames of the 25 FPS grid")
    longest_gap: float = Field(
        description="seconds between two neighbouring source frames, at most"
    )
    audio: AudioStream | None
    audible: tuple[int, int] = Field(
        description="grid frames [start, stop) that the sound covers whole; (0, 0) without sound"
    )

    @property
    def audible_frames(self) -> int:
        return self.audible[1] - self.audible[0]

    @property
    def short_side(self) -> int:
        return min(self.upright_size)


class Interval(Record):
    """A stretch of grid frames."""

    start: int
    stop: int


class Shot(Record):
    """One camera setting between two cuts."""

    start: int
    stop: int
    camera_motion: float | None = Field(
        description="median speed of the background, frame widths per second; None: nothing to tell it by"
    )
    change: float | None = Field(
        default=None,
        description="median change of the liveliest 400th of the picture over 0.4 s, grey levels; None: too short",
    )
    new_pictures: tuple[float | None, ...] = Field(
        default=(),
        description="new pictures per second in each of 4 by 4 cells of the picture, row by row; None: too little "
        "moves there to tell; empty: not measured",
    )


class Shots(Record):
    """The shots of a source (stage shots)."""

    backend: Backend
    shots: tuple[Shot, ...]
    decoded_until: int = Field(
        description="grid frames before which every frame could be decoded, but for `undecodable`"
    )
    undecodable: tuple[Interval, ...] = Field(
        default=(),
        description="grid frames before `decoded_until` that show what does not decode, or was built on it",
    )


class Turn(Record):
    """One voice speaking, pauses shorter than the merge gap included."""

    start: int
    stop: int
    speaker: int = Field(
        description="number of the voice within this source, from 0 in order of first appearance"
    )


class Speech(Record):
    """Who speaks when, over the whole sound track (stage speech)."""

    backend: Backend
    sound: Blob = Field(description=".npy (N,) int16: the whole track, 16 kHz mono")
    sound_start: int = Field(
        description="16 kHz samples from the first video timestamp to the first of `sound`"
    )
    sound_samples: int
    voiced: tuple[Interval, ...] = Field(description="where anybody speaks, without the pauses")
    turns: tuple[Turn, ...]
    overlaps: tuple[Interval, ...] | None = Field(
        description="where two voices sound at once; None: the backend cannot tell"
    )
    music: tuple[Interval, ...] | None = Field(
        description="where music sounds; None: the backend cannot tell"
    )
    voices: Blob | None = Field(
        description=".npy (speakers, D) float32 voice embeddings of unit length; None without any"
    )

    @property
    def voiced_frames(self) -> int:
        return sum(interval.stop - interval.start for interval in self.voiced)


class FaceSample(Record):
    """One face in one looked-at frame."""

    frame: int
    box: Box = Field(description="upright pixels")
    score: float
    facing: float | None = Field(
        default=None,
        description="frontality by the detector's eyes, nose and mouth: 1 frontal, 0 profile",
    )


class Track(Record):
    """One person followed through one shot by sparse face detections."""

    person: int = Field(description="number within the source, in order of first appearance")
    samples: tuple[FaceSample, ...]

    @property
    def start(self) -> int:
        return self.samples[0].frame

    @property
    def stop(self) -> int:
        return self.samples[-1].frame + 1


class People(Record):
    """Who is in view, looked for sparsely (stage people)."""

    backend: Backend
    sampled: tuple[int, ...] = Field(description="grid frames that were looked at, sorted")
    tracks: tuple[Track, ...]

    @property
    def seen(self) -> int:
        return len(self.tracks)


class Source(Record):
    """One video and everything that was measured on it as a whole."""

    schema_version: int = SCHEMA_VERSION
    origin: Origin
    fetched: Fetched | None = None
    media: Media | None = None
    speech: Speech | None = None
    shots: Shots | None = None
    people: People | None = None


# ---- the clip and its sections ---------------------------------------------------------------------------------------


class ClipOrigin(Record):
    """Where a clip comes from."""

    locator: str
    sha256: str
    speaker: str | None
    speech_type: str | None
    licence: str | None
    title: str | None
    language: str | None
    synthetic: Synthetic | None = None


class ClipMedia(Record):
    """What stays true of the source for one clip."""

    upright_size: tuple[int, int]
    rotation: int
    pixel_aspect: Fraction
    rate: Fraction
    variable_rate: bool


class Span(Record):
    """The grid frames of a candidate."""

    start: int
    stop: int

    @property
    def frames(self) -> int:
        return self.stop - self.start


class Person(Record):
    """Which of the people in view, and how their face moves through the span."""

    backend: Backend | None = Field(default=None, description="what found the faces")
    number: int = Field(description="number within the source; not part of the id")
    face: Box = Field(description="median face box, upright pixels")
    region: Box = Field(
        description="part of the picture that is this person's alone, upright pixels, integers"
    )
    path: tuple[FaceSample, ...] = Field(
        description="the face samples in and next to the span, what pose starts from"
    )
    in_view: int = Field(description="most people seen at once in the span")
    face_height: float = Field(description="median face height over frame height, ratio")
    facing: float | None = Field(
        default=None,
        description="median frontality of the face by the detector's points: 1 frontal, 0 profile",
    )


class ClipSpeech(Record):
    """What the speech section says about the span."""

    backend: Backend
    voices: Blob | None = Field(
        default=None, description="the source's voice embeddings; not part of the dataset"
    )
    speaker: int = Field(description="number of the voice within the source")
    voiced: float = Field(description="fraction of the span in which this voice speaks, ratio")
    overlap: float | None = Field(
        default=None,
        description="fraction of the span in which two voices sound at once; None: the backend cannot tell",
    )
    music: float | None = Field(
        default=None,
        description="fraction of the span in which music sounds; None: the backend cannot tell",
    )


class ClipShot(Record):
    """What the shots section says about the span."""

    backend: Backend
    camera_motion: float = Field(
        description="frame widths per second; 0 too where `camera_seen` is false"
    )
    camera_seen: bool = Field(
        default=True, description="whether the background shows enough to tell its motion by"
    )
    change: float | None = Field(
        default=None,
        description="median change of the liveliest 400th of the shot's picture over 0.4 s, grey levels",
    )
    new_pictures: float | None = Field(
        default=None,
        description="new pictures per second of the shot where the person is; the source's own rate where too little "
        "moves to tell; None: not measured",
    )


class Pose(Record):
    """133 keypoints per frame (stage pose)."""

    backend: Backend
    array: Blob | None = Field(
        default=None,
        description=".npy (F, 133, 3) float32: x, y in upright pixels of the source, confidence; not in the dataset",
    )
    valid_from: float = Field(
        description="confidence from which this backend's joints count as seen"
    )
    found: float = Field(description="fraction of frames in which a body was found, ratio")


class Posture(Record):
    """What the pose says about the use of the clip (Yang et al. 2025, section 3.2, quality control)."""

    backend: Backend = Field(description="whose pose was measured")
    upper_body: float = Field(
        description="fraction of frames with both shoulders and an elbow inside the picture and seen, ratio"
    )
    shoulder_width: float | None = Field(
        description="median shoulder distance over frame height, ratio"
    )
    facing: float | None = Field(
        description="median frontality of the head, ratio: 1 frontal, 0 profile"
    )
    shoulder_facing: float | None = Field(
        description="median turn of the shoulders; negative: seen from behind"
    )
    face_seen: float = Field(description="fraction of frames with a face, ratio")
    stillness: float | None = Field(
        description="how far joints of the upper body go in 0.8 s, upper quartile, shoulder widths"
    )
    hands: float = Field(description="fraction of frames with at least one hand seen, ratio")


class Sync(Record):
    """Does this mouth speak this voice (stage sync)."""

    backend: Backend
    offset: int = Field(
        description="frames by which the sound is late against the picture; negative: early"
    )
    confidence: float = Field(description="backend's own scale, stated in its docstring")
    speaking: float = Field(description="backend's score that the visible person speaks")
    shifted: int = Field(
        description="frames by which the audio window was moved; 0 where the offset was not sure enough, too small to "
        "matter, or led to where the source has no sound"
    )
    apart: int = Field(
        default=0,
        description="frames by which the stored sound is late or early all the same, where the backend is sure of it; "
        "0 where it is not sure, or where the window was moved",
    )


class Framing(Record):
    """The square that the clip shows of its source (stage framing)."""

    box: Box = Field(description="square, upright pixels, may reach outside the frame")
    outside: float = Field(description="fraction of the box outside the frame, ratio")
    enlarged: float = Field(description="crop pixels per source pixel")
    size: tuple[int, int] = Field(description="pixels of the stored picture")
    affine: Affine = Field(
        description="stored source pixels, before rotation and aspect, to crop pixels"
    )


class Crop(Record):
    """The stored picture and sound (stage crop)."""

    video: Blob
    audio: Blob
    pose: Blob = Field(
        description=".npy (F, 133, 3) float32: x, y in pixels of the crop, confidence"
    )


class Identity(Record):
    """Who the speaker is over the whole set (stage identity)."""

    group: str = Field(description="frozen name of the speaker's group")
    backend: Backend
    similarity: float = Field(description="cosine of the clip's voice to its group's mean voice")


class Clip(Record):
    """One person, one voice, one shot, 5 to 15 seconds: the unit that flows to the training batch."""

    schema_version: int = SCHEMA_VERSION
    id: str = Field(
        description="hash of media SHA-256, first frame, frame count, quantised place of the face"
    )
    revision: str | None = Field(default=None, description="hash of the members; None before pack")
    origin: ClipOrigin
    media: ClipMedia
    span: Span
    person: Person
    shot: ClipShot
    speech: ClipSpeech
    pose: Pose | None = None
    posture: Posture | None = None
    sync: Sync | None = None
    framing: Framing | None = None
    crop: Crop | None = None
    identity: Identity | None = None
    split: SplitName | None = None
    use: Use = Field(
        default="all",
        description="train: kept for training only, and never in val or test; decisions.parquet says by which rule",
    )


# ---- decisions -------------------------------------------------------------------------------------------------------


class Verdict(StrEnum):
    """What a rule says of a subject.

    training_only: kept, for training only, since a rule drops it that the setting `training_only` names; unknown: the
    rule is not proven for the backend, and acts on nothing.
    """

    KEPT = "kept"
    TRAINING_ONLY = "training_only"
    DROPPED = "dropped"
    UNKNOWN = "unknown"
    FAILED = "failed"


class Decision(Record):
    """One rule applied to one subject: a row of decisions.parquet."""

    subject: str = Field(description="clip id, or the source's locator")
    source: str = Field(description="locator")
    start: int
    stop: int
    person: int | None
    stage: str
    version: int = Field(description="of the stage")
    backend: str
    backend_version: str = Field(description="of the method and the libraries that computed it")
    weights: str | None = Field(description="SHA-256 of the network's weights; None: it has none")
    measurement: str = Field(
        description="dotted name of the measured value, such as posture.stillness"
    )
    value: float | None = Field(description="None: not measured")
    unit: str
    comparator: str
    threshold: float | None
    verdict: Verdict
    reason: Why | None
    detail: str | None = None
