"""Identity: who is who over the whole set, by declared names, voices and sounds that sources share.

A group's name is frozen when it first appears, in the identity file beside the lock: a set that grows never renames or
moves a speaker. Where new material ties two frozen groups together, that material is left out with the reason
`identity_on_two_sides` if they lie on two sides of the split.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from manifests.record import Backend, Clip, Identity
from pipeline.perception.identity import fingerprint, group_voices, near_duplicates
from pipeline.stage import need
from pipeline.store import Store

Voice = tuple[str, int]  # SHA-256 of the media, number of the voice in it


@dataclass(frozen=True, slots=True)
class Grouping:
    """Each clip with its identity, and the clips that would tie two frozen names together."""

    clips: tuple[Clip, ...]
    tied: Mapping[str, tuple[str, ...]]  # clip id to the frozen names it would tie together
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Identify:
    """Group voices over all sources. similarity: least cosine of one speaker's voices; encoder: who made them."""

    name: ClassVar = "identity"
    version: ClassVar = 1

    similarity: float
    encoder: Backend

    def __call__(self, clips: Sequence[Clip], store: Store, frozen: Mapping[str, str]) -> Grouping:
        """frozen: names given earlier, by `<sha256>:<voice>`."""
        clips = sorted(clips, key=lambda clip: clip.id)
        voices = sorted({voice_of(clip) for clip in clips})
        if not voices:
            return Grouping((), {}, dict(frozen))
        vectors = embeddings(voices, clips, store)
        place = {voice: index for index, voice in enumerate(voices)}
        labels = group_voices(vectors, must_link(clips, place, store), threshold=self.similarity)
        members = {
            int(label): [v for v in voices if labels[place[v]] == label]
            for label in set(labels.tolist())
        }
        means = {
            label: mean_voice(vectors[[place[v] for v in group]])
            for label, group in members.items()
        }
        declared = declared_voices(clips)
        named, torn, names = freeze(members, declared, frozen)
        return Grouping(
            clips=tuple(
                clip.model_copy(
                    update={
                        "identity": Identity(
                            group=named[voice_of(clip)],
                            backend=self.encoder,
                            similarity=float(
                                np.clip(
                                    vectors[place[voice_of(clip)]]
                                    @ means[int(labels[place[voice_of(clip)]])],
                                    -1,
                                    1,
                                )
                            ),
                        )
                    }
                )
                for clip in clips
            ),
            tied={clip.id: torn[voice_of(clip)] for clip in clips if voice_of(clip) in torn},
            names=names,
        )


def voice_of(clip: Clip) -> Voice:
    """Which voice of which media a clip is spoken by."""
    return clip.origin.sha256, clip.speech.speaker


def embeddings(voices: Sequence[Voice], clips: Sequence[Clip], store: Store) -> NDArray[np.float32]:
    """(voices, D) unit vectors; zeros, like nobody's, for a voice of which the speech backend made none."""
    stored = {voice_of(clip): clip.speech.voices for clip in reversed(clips)}
    found = {
        voice: store.read_array(blob)[voice[1]].astype(np.float32)
        for voice, blob in stored.items()
        if blob is not None
    }
    nobody = np.zeros(max((len(vector) for vector in found.values()), default=1), np.float32)
    return np.stack([found.get(voice, nobody) for voice in voices])


def mean_voice(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Unit vector of the mean of some unit vectors (n, D)."""
    mean = vectors.mean(axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-9)


def must_link(
    clips: Sequence[Clip], place: Mapping[Voice, int], store: Store
) -> list[tuple[int, int]]:
    """Pairs of voices that are one identity whatever they sound like: one declared name, or one recording twice."""
    links: list[tuple[int, int]] = []
    first_with: dict[str, int] = {}
    for voice, speaker in sorted(declared_voices(clips).items()):
        links.append((first_with.setdefault(speaker, place[voice]), place[voice]))
    for pair in near_duplicates([fingerprint(sound_of(clip, store)) for clip in clips]):
        one, other = clips[pair.first], clips[pair.second]
        if one.origin.sha256 != other.origin.sha256:
            links.append((place[voice_of(one)], place[voice_of(other)]))
    return links


def declared_voices(clips: Sequence[Clip]) -> dict[Voice, str]:
    """The voice that a source list's speaker name means: of a source with several, the one with most frames kept."""
    frames: Counter[tuple[str, Voice]] = Counter()
    for clip in clips:
        if clip.origin.speaker:
            frames[clip.origin.speaker, voice_of(clip)] += clip.span.frames
    chosen: dict[tuple[str, str], Voice] = {}
    for speaker, voice in sorted(frames, key=lambda item: (-frames[item], item)):
        chosen.setdefault((speaker, voice[0]), voice)
    return {voice: speaker for (speaker, _), voice in chosen.items()}


def sound_of(clip: Clip, store: Store) -> NDArray[np.int16]:
    """The clip's 16 kHz sound."""
    import soundfile

    samples, _ = soundfile.read(store.verified_path(need(clip.crop, "crop").audio), dtype="int16")
    return samples.astype(np.int16)


def freeze(
    members: Mapping[int, Sequence[Voice]], declared: Mapping[Voice, str], frozen: Mapping[str, str]
) -> tuple[dict[Voice, str], dict[Voice, tuple[str, ...]], dict[str, str]]:
    """Names for groups: the frozen one, else a declared speaker's, else one made from the smallest member.

    Returns each voice's name, the voices that newly tie two frozen groups, and the names to freeze.
    """
    named: dict[Voice, str] = {}
    torn: dict[Voice, tuple[str, ...]] = {}
    names = dict(frozen)
    for group in members.values():
        old = sorted({frozen[key(voice)] for voice in group if key(voice) in frozen})
        spoken = sorted({name for voice in group if (name := declared.get(voice))})
        if old:
            name = old[0]
        elif spoken:
            name = f"speaker:{spoken[0]}"
        else:
            name = "voice:" + hashlib.sha256(key(min(group)).encode()).hexdigest()[:16]
        for voice in group:
            named[voice] = frozen.get(key(voice), name)
            if len(old) > 1 and key(voice) not in frozen:
                torn[voice] = tuple(
                    old
                )  # and not frozen: it stays torn until one of the two groups is gone
            else:
                names.setdefault(key(voice), name)
    return named, torn, names


def key(voice: Voice) -> str:
    """A voice as text."""
    return f"{voice[0]}:{voice[1]}"
