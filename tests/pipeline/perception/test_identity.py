from fractions import Fraction
from itertools import combinations

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage

from pipeline.perception.identity import (
    DUPLICATE,
    Match,
    fingerprint,
    group_voices,
    near_duplicates,
    same_sound,
)
from pipeline.sample.voice import Voice, fit, speak

TEXT = "the morning train was late again so we walked along the river and talked about the plan "
OTHER = "nobody had told me that the meeting was moved and the room was empty when I arrived "


def unit(vectors):
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def some_voices(seed, count):
    draw = np.random.default_rng(seed)
    centres = draw.normal(size=(max(1, count // 3), 12))
    return unit(centres[draw.integers(len(centres), size=count)] + draw.normal(size=(count, 12)))


def partition(labels):
    return {frozenset(np.flatnonzero(labels == each).tolist()) for each in set(labels.tolist())}


def speech(text, *, seconds=6.0, voice="en+m3"):
    import soxr

    spoken = fit(speak(text * 3, Voice(voice)), seconds=seconds)
    samples = soxr.resample(spoken.samples, spoken.sample_rate, 16_000)
    return np.round(samples * 20_000.0).astype(np.int16)


def through_aac(samples, path, *, bit_rate=48_000):
    """The sound written as AAC and read again."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16_000, layout="mono")
        stream.bit_rate = bit_rate
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.time_base = 16_000, Fraction(1, 16_000)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return read(path)


def read(path):
    resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
    with av.open(str(path)) as container:
        frames = [f for frame in container.decode(audio=0) for f in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray().ravel() for frame in frames])


# ---- voices ------------------------------------------------------------------------------------


def test_voices_as_alike_as_the_threshold_are_one_speaker():
    voices = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]], np.float32)
    assert group_voices(voices, (), 0.79).tolist() == [0, 0, 1]
    assert group_voices(voices, (), 0.81).tolist() == [0, 1, 2]


def test_a_chain_of_neighbours_is_not_one_speaker():
    angles = np.deg2rad([0.0, 30.0, 60.0, 90.0])
    voices = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert group_voices(voices, (), 0.85).tolist() == [0, 0, 1, 1]


def test_linked_voices_stay_together_and_draw_in_what_their_mean_reaches():
    voices = np.array([[1.0, 0.0], [0.0, 1.0], [0.96, 0.28]], np.float32)
    assert group_voices(voices, [(0, 1)], 0.9).tolist() == [0, 0, 1]
    assert group_voices(voices, [(0, 1)], 0.6).tolist() == [0, 0, 0]
    assert group_voices(voices, [(0, 1), (1, 2)], 1.0).tolist() == [0, 0, 0]


@given(st.integers(0, 2**31), st.integers(1, 40), st.floats(-0.5, 0.95), st.integers(0, 4))
def test_the_partition_does_not_depend_on_the_order(seed, count, threshold, links):
    draw = np.random.default_rng(seed)
    voices, order = some_voices(seed, count), draw.permutation(count)
    ties = draw.integers(count, size=(links, 2))
    moved = np.argsort(order)[ties]
    labels = group_voices(voices, [(a, b) for a, b in ties.tolist()], threshold)
    other = group_voices(voices[order], [(a, b) for a, b in moved.tolist()], threshold)
    assert partition(labels) == {frozenset(order[list(g)].tolist()) for g in partition(other)}
    assert all(labels[a] == labels[b] for a, b in ties)
    assert list(dict.fromkeys(labels.tolist())) == list(range(labels.max() + 1))


@given(st.integers(0, 2**31), st.integers(2, 60), st.floats(0.0, 0.95))
def test_grouping_by_components_equals_average_linkage_of_everything(seed, count, threshold):
    voices = some_voices(seed, count)
    tree = linkage(voices.astype(np.float64), "average", metric="cosine")
    whole = fcluster(tree, 1.0 - threshold, "distance")
    assert partition(group_voices(voices, (), threshold)) == partition(whole)


def test_no_voices_are_no_speakers():
    assert group_voices(np.zeros((0, 4), np.float32), (), 0.8).tolist() == []


def test_a_voice_that_is_not_known_is_nobody_else():
    voices = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 0.0]], np.float32)
    assert group_voices(voices, (), 0.8).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("voices", "links", "threshold", "message"),
    [
        (np.eye(2), [], 1.5, "got 1.5"),
        (np.eye(2), [(0, 2)], 0.8, "there are 2 voices"),
        (np.eye(2) * 2.0, [], 0.8, "got 2.0000"),
    ],
)
def test_wrong_input_is_named(voices, links, threshold, message):
    with pytest.raises(ValueError, match=message):
        group_voices(voices.astype(np.float32), links, threshold)


# ---- sound -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("samples", "words"), [(0, 0), (6_199, 0), (6_200, 1), (96_000, 450)])
def test_there_is_a_word_every_twelve_and_a_half_milliseconds(samples, words):
    sound = np.random.default_rng(0).integers(-9_000, 9_000, samples).astype(np.int16)
    assert fingerprint(sound).shape == (words,)
    assert fingerprint(sound).dtype == np.uint32


def test_silence_has_empty_words_and_resembles_nothing():
    silence = fingerprint(np.zeros(96_000, np.int16))
    assert not silence.any()
    assert same_sound(silence, silence) == Match(0.0, 0.0)
    assert near_duplicates([silence, silence]) == ()


def test_a_recording_is_itself_at_any_loudness():
    samples = speech(TEXT)
    words = fingerprint(samples)
    assert same_sound(words, words) == Match(1.0, 0.0)
    quieter = np.round(samples * 0.2).astype(np.int16)
    match = same_sound(words, fingerprint(quieter))
    assert match.similarity > 0.9
    assert match.lag == 0.0


def test_an_excerpt_is_found_where_it_was_taken_after_aac(tmp_path):
    samples = speech(TEXT, seconds=8.0)
    excerpt = through_aac(samples[40_000:104_000], tmp_path / "a.m4a")
    match = same_sound(fingerprint(samples), fingerprint(excerpt))
    assert match.similarity > DUPLICATE + 0.1
    assert match.lag == pytest.approx(2.5, abs=0.08)
    (pair,) = near_duplicates([fingerprint(samples), fingerprint(excerpt)])
    assert (pair.first, pair.second) == (0, 1)
    assert pair.match.lag == pytest.approx(match.lag, abs=0.026)


def test_the_lag_changes_sign_with_the_order():
    samples = speech(TEXT, seconds=7.0)
    a, b = fingerprint(samples), fingerprint(samples[16_000:])
    assert same_sound(a, b) == Match(1.0, 1.0)
    assert same_sound(b, a) == Match(1.0, -1.0)


def test_one_voice_saying_two_things_is_no_duplicate():
    words = [fingerprint(speech(text)) for text in (TEXT, OTHER)]
    words.append(fingerprint(speech(TEXT, voice="de+boris")))
    assert near_duplicates(words) == ()
    assert all(same_sound(a, b).similarity < DUPLICATE for a, b in combinations(words, 2))


def test_a_short_common_jingle_is_no_duplicate():
    jingle = speech(TEXT, seconds=2.0, voice="es+f2")
    first = np.concatenate([jingle, speech(TEXT)])
    second = np.concatenate([jingle, speech(OTHER)])
    assert near_duplicates([fingerprint(first), fingerprint(second)]) == ()


def test_no_recordings_have_no_duplicates():
    assert near_duplicates([]) == ()
    assert near_duplicates([np.zeros(0, np.uint32)]) == ()


def test_the_two_clips_with_one_voice_track_are_found_and_no_others(shared):
    with_sound = [
        path
        for path in sorted((shared / "media" / "video").iterdir())
        if path.suffix in {".mp4", ".mov"} and path.name.startswith(("tango", "svid", "wav2lip"))
    ]
    words, names = [], []
    for path in with_sound:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                continue
        names.append(path.stem)
        words.append(fingerprint(read(path)))
    found = [(names[pair.first], names[pair.second]) for pair in near_duplicates(words)]
    assert found == [("tango_demo0", "tango_demo2")]
