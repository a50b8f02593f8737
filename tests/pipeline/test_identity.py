"""Tests of the identity stage: who is who where voices are known, and where they are not."""

from pathlib import Path

import numpy as np
import soundfile

from manifests.record import Blob, Clip, Identity
from pipeline.stages.s120_identity import Identify
from pipeline.store import Store
from tests.examples import BACKEND, clip


def spoken(store: Store, name: str, speaker: int, voices: Blob | None, *, seed: int) -> Clip:
    """A clip of the source `name`, in which this voice says something of its own."""
    wav = store.root / f"{name}-{speaker}.wav"
    noise = np.random.default_rng(seed).normal(0.0, 3_000.0, 16_000 * 8).astype(np.int16)
    soundfile.write(wav, noise, 16_000)
    made = clip(name=f"{seed:024x}")
    assert made.crop is not None
    return made.model_copy(
        update={
            "origin": made.origin.model_copy(update={"sha256": name * 32}),
            "speech": made.speech.model_copy(update={"voices": voices, "speaker": speaker}),
            "crop": made.crop.model_copy(update={"audio": store.put_file(wav)}),
            "identity": None,
        }
    )


def identities(clips: list[Clip], store: Store) -> list[Identity]:
    """In the order of the clips."""
    named = {each.id: each.identity for each in Identify(0.7, BACKEND)(clips, store, {}).clips}
    found = [named[each.id] for each in clips]
    return [each for each in found if each is not None]


def test_one_voice_in_two_sources_is_one_person(tmp_path: Path) -> None:
    store = Store(tmp_path)
    voices = store.put_array(np.eye(2, 8, dtype=np.float32))
    one, other, third = identities(
        [
            spoken(store, "aa", 0, voices, seed=1),
            spoken(store, "bb", 0, voices, seed=2),
            spoken(store, "bb", 1, voices, seed=3),
        ],
        store,
    )
    assert one.group == other.group != third.group


def test_voices_that_the_backend_does_not_tell_are_people_of_their_own(tmp_path: Path) -> None:
    store = Store(tmp_path)
    voices = store.put_array(np.eye(2, 8, dtype=np.float32))
    known, first, second = identities(
        [
            spoken(store, "aa", 0, voices, seed=1),
            spoken(store, "bb", 0, None, seed=2),
            spoken(store, "bb", 1, None, seed=3),
        ],
        store,
    )
    assert len({known.group, first.group, second.group}) == 3
    assert (known.similarity, first.similarity, second.similarity) == (1.0, 0.0, 0.0)


def test_a_set_without_any_voices_is_grouped_too(tmp_path: Path) -> None:
    store = Store(tmp_path)
    clips = [spoken(store, "aa", speaker, None, seed=speaker) for speaker in range(2)]
    assert len({each.group for each in identities(clips, store)}) == 2
