"""Diff: what came, went or changed between two versions of a dataset, and because of what."""

import io
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from manifests.record import Clip, Decision, Source, Verdict, Why
from pipeline.audit.absent import UNEXPLAINED
from pipeline.audit.diff import DIFFERENT, SAME, Difference, diff
from pipeline.audit.diff_report import show, to_json
from pipeline.audit.errors import LookError
from pipeline.store import Store
from tests.datasets import judged, named, source_of, stored_clip, write_dataset

Write = Callable[..., Path]
A_CLIP = named(7)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "work")


@pytest.fixture
def write(tmp_path: Path, store: Store) -> Write:
    """Writes a version: clips, and what else differs from the usual."""

    def written(name: str, clips: Sequence[Clip], **other: object) -> Path:
        write_dataset(tmp_path / name, clips, store, **other)  # type: ignore[arg-type]
        return tmp_path / name

    return written


@pytest.fixture
def clips(store: Store) -> list[Clip]:
    return [stored_clip(store, named(n), start=300 * n) for n in range(3)]


def without_one(
    write: Write,
    store: Store,
    clips: list[Clip],
    *decisions: Decision,
    sources: Sequence[Source] | None = None,
    more: Sequence[Clip] = (),
) -> Difference:
    """The difference to a version that lacks one clip, of which it says what these rows say."""
    gone = stored_clip(store, A_CLIP, start=1000, locator="gone.mp4")
    a = write("a", [*clips, gone])
    rows = [*(judged(clip.id) for clip in (*clips, *more)), *decisions]
    known = [source_of(), source_of("gone.mp4")] if sources is None else sources
    b = write("b", [*clips, *more], decisions=rows, sources=known)
    return diff(a, b)


def printed(found: Difference) -> str:
    out = io.StringIO()
    show(found, Console(file=out, width=120))
    return out.getvalue()


# ---- the same --------------------------------------------------------------------------------------------------------


def test_two_versions_of_the_same_clips_are_the_same(write: Write, clips: list[Clip]) -> None:
    found = diff(write("a", clips), write("b", clips[::-1]))
    assert found.nothing and found.exit_code == SAME
    assert printed(found) == (
        f"same root {found.roots[0]}: 3 clips, every row and dataset.json are equal\n"
    )
    assert json.loads(to_json(found))["same"] is True


def test_two_empty_versions_are_the_same(write: Write) -> None:
    assert diff(write("a", []), write("b", [])).exit_code == SAME


def test_a_root_that_does_not_tell_the_truth_is_named(write: Write, clips: list[Clip]) -> None:
    a, b = write("a", clips), write("b", clips[:2])
    facts = json.loads((b / "dataset.json").read_text())
    facts["root"] = json.loads((a / "dataset.json").read_text())["root"]
    (b / "dataset.json").write_text(json.dumps(facts))
    found = diff(a, b)
    assert found.exit_code == DIFFERENT
    assert "but the tables differ: csg-data verify says which" in printed(found)


# ---- went and came ---------------------------------------------------------------------------------------------------


def test_a_clip_that_a_rule_dropped_went_with_its_value_and_both_thresholds(
    write: Write, store: Store, clips: list[Clip]
) -> None:
    row = judged(
        A_CLIP,
        source="gone.mp4",
        threshold=0.3,
        verdict=Verdict.DROPPED,
        reason=Why.STATIC,
    )
    (went,) = without_one(write, store, clips, row).went
    assert (went.id, went.locator, went.kind) == (A_CLIP, "gone.mp4", "static")
    assert went.reason == (
        "B dropped it in posture: static, posture.stillness 0.2, needed >= 0.3"
        " (A: 0.2, needed >= 0.15, kept)"
    )


def test_what_went_in_one_direction_came_in_the_other(
    write: Write, store: Store, clips: list[Clip]
) -> None:
    row = judged(A_CLIP, source="gone.mp4", verdict=Verdict.DROPPED, reason=Why.STATIC)
    there = without_one(write, store, clips, row)
    back = diff(*(store.root.parent / name for name in ("b", "a")))
    assert back.went == () and there.came == ()
    assert back.clips == there.clips[::-1] == (3, 4)
    (came,) = back.came
    assert came.kind == "static" and came.reason.startswith("A dropped it in posture: static")


@pytest.mark.parametrize(
    ("why", "stage", "detail"),
    [(Why.DUPLICATE, "identity", "first.mp4"), (Why.BOTH_SIDES, "split", None)],
)
def test_a_clip_that_the_whole_set_left_out_went_for_that(
    write: Write, store: Store, clips: list[Clip], why: Why, stage: str, detail: str | None
) -> None:
    row = judged(
        A_CLIP,
        source="gone.mp4",
        stage=stage,
        measurement=f"{stage}.{why}",
        value=1.0,
        threshold=0.0,
        verdict=Verdict.DROPPED,
        reason=why,
        detail=detail,
    )
    (went,) = without_one(write, store, clips, row).went
    assert went.kind == why
    assert went.reason.startswith(f"B dropped it in {stage}: {why}")
    assert went.reason.endswith("(first.mp4)" if detail else "needed >= 0")


def test_a_clip_whose_source_is_not_there_went_for_that(
    write: Write, store: Store, clips: list[Clip]
) -> None:
    (went,) = without_one(write, store, clips, sources=[source_of()]).went
    assert (went.kind, went.reason) == ("source absent", "its source gone.mp4 is not in B")


@pytest.mark.parametrize(
    ("verdict", "why", "kind"),
    [
        (Verdict.FAILED, Why.UNREACHABLE, "source failed: unreachable"),
        (Verdict.DROPPED, Why.OPTED_OUT, "source dropped: opted_out"),
    ],
)
def test_a_clip_whose_source_failed_or_opted_out_went_for_that(
    write: Write, store: Store, clips: list[Clip], verdict: Verdict, why: Why, kind: str
) -> None:
    row = judged(
        "gone.mp4",
        source="gone.mp4",
        stage="fetch",
        measurement="fetch.possible",
        value=None,
        threshold=None,
        verdict=verdict,
        reason=why,
    )
    (went,) = without_one(write, store, clips, row).went
    assert went.kind == kind
    assert went.reason == f"B {verdict} its source gone.mp4 in fetch: {why}"


def test_a_clip_whose_source_has_other_bytes_went_for_that(
    write: Write, store: Store, clips: list[Clip]
) -> None:
    sources = [source_of(), source_of("gone.mp4", sha256="ef" * 32)]
    (went,) = without_one(write, store, clips, sources=sources).went
    assert went.kind == "other bytes"
    assert went.reason == (
        "its source gone.mp4 has other bytes in B: efefefefefef, not cdcdcdcdcdcd"
    )


def test_a_clip_whose_frames_were_cut_otherwise_names_what_covers_them(
    write: Write, store: Store, clips: list[Clip]
) -> None:
    new = stored_clip(store, named(8), start=950, locator="gone.mp4")  # to 1150
    dropped = judged(
        named(9),
        source="gone.mp4",
        span=(1150, 1180),
        verdict=Verdict.DROPPED,
        reason=Why.STATIC,
    )
    unused = judged(
        "gone.mp4",
        source="gone.mp4",
        span=(1180, 1190),
        stage="spans",
        measurement="spans.no_speech",
        verdict=Verdict.DROPPED,
        reason=Why.NO_SPEECH,
    )
    (went,) = without_one(write, store, clips, dropped, unused, more=[new]).went
    assert went.kind == "cut otherwise"
    assert went.reason == (
        f"frames 1000 to 1200 of gone.mp4 are cut otherwise in B; kept in {named(8)};"
        " dropped as no_speech, static; 10 frames are accounted for nowhere"
    )


def test_a_clip_that_vanished_without_a_row_is_unexplained(
    write: Write, store: Store, clips: list[Clip]
) -> None:
    (went,) = without_one(write, store, clips).went
    assert went.kind == UNEXPLAINED
    assert went.reason == "nothing in B says why; its source gone.mp4 is there"


def test_a_clip_beside_it_that_both_versions_have_explains_nothing(
    write: Write, store: Store, clips: list[Clip]
) -> None:
    beside = stored_clip(store, named(8), start=1000, locator="gone.mp4")
    (went,) = without_one(write, store, [*clips, beside]).went
    assert went.kind == UNEXPLAINED
    assert went.reason.endswith(f"is there; others in these frames: {named(8)}")


def test_a_clip_that_was_measured_and_not_dropped_is_unexplained(
    write: Write, store: Store, clips: list[Clip]
) -> None:
    (went,) = without_one(write, store, clips, judged(A_CLIP, source="gone.mp4")).went
    assert went.kind == UNEXPLAINED
    assert went.reason == "B measured it and has no row that drops it"


# ---- changed ---------------------------------------------------------------------------------------------------------


def test_a_changed_clip_names_its_members_and_the_fields_of_its_record(
    write: Write, store: Store, clips: list[Clip]
) -> None:
    other = stored_clip(store, clips[1].id, seed=1, start=300)
    assert other.crop is not None and clips[1].crop is not None and other.sync is not None
    crop = other.crop.model_copy(update={"audio": clips[1].crop.audio})
    sync = other.sync.model_copy(update={"offset": 2})
    other = other.model_copy(update={"crop": crop, "sync": sync})
    (changed,) = diff(write("a", clips), write("b", [clips[0], other, clips[2]])).changed
    assert changed.id == clips[1].id
    assert changed.members == ("pose", "json", "mp4")
    assert changed.columns == ("sync_offset",)
    assert changed.record == ("crop.pose.sha256", "crop.video.sha256", "sync.offset")


def test_clips_that_only_lie_elsewhere_are_moved_and_not_changed(
    write: Write, clips: list[Clip]
) -> None:
    found = diff(write("a", clips), write("b", clips[1:]))
    assert (found.changed, found.moved) == ((), 2)
    assert "the same, elsewhere in the shards" in printed(found)


def test_a_shard_that_is_gone_costs_the_fields_and_not_the_difference(
    write: Write, store: Store, clips: list[Clip]
) -> None:
    other = stored_clip(store, clips[0].id, seed=1)
    a, b = write("a", clips), write("b", [other, *clips[1:]])
    shutil.rmtree(a / "motion")
    (changed,) = diff(a, b).changed
    assert changed.members == ("pose", "flac", "json", "mp4")
    assert any("the record cannot be read" in name for name in changed.record)


# ---- rows and settings -----------------------------------------------------------------------------------------------


def test_rows_that_differ_are_counted_by_column_and_stage(write: Write, clips: list[Clip]) -> None:
    later = [judged(clip.id, version=5) for clip in clips[:2]] + [judged(clips[2].id, value=0.3)]
    found = diff(write("a", clips), write("b", clips, decisions=later))
    assert found.exit_code == DIFFERENT
    assert (found.went, found.came, found.changed, found.moved) == ((), (), (), 0)
    lines = printed(found).splitlines()
    assert "  decisions: version 4 → 5 of posture: 2 rows" in lines
    assert "  decisions: value 0.2 → 0.3 of posture.stillness: 1 rows" in lines


def test_many_different_values_are_one_line(write: Write, store: Store) -> None:
    clips = [stored_clip(store, named(n)) for n in range(20)]
    later = [judged(clip.id, value=0.3 + n) for n, clip in enumerate(clips)]
    found = diff(write("a", clips), write("b", clips, decisions=later))
    assert "  decisions: value of posture.stillness: 20 rows" in printed(found).splitlines()


def test_rows_of_one_side_and_rows_that_repeat_are_counted(write: Write, clips: list[Clip]) -> None:
    rows = [judged(clip.id) for clip in clips]
    sync = [judged(clip.id, stage="sync", measurement="sync.offset") for clip in clips]
    a = write("a", clips, decisions=[*rows, *sync, rows[0]])
    b = write("b", clips, decisions=[*rows, sync[0]])
    text = printed(diff(a, b))
    assert "decisions: only in A of posture.stillness: 1 rows" in text
    assert "decisions: only in A of sync.offset: 2 rows" in text


def test_sources_that_differ_are_counted_by_column(write: Write, clips: list[Clip]) -> None:
    later = [source_of(frames=1001), source_of("new.mp4")]
    text = printed(diff(write("a", clips), write("b", clips, sources=later)))
    assert "sources: frames 1000 → 1001: 1 rows" in text
    assert "sources: only in B: 1 rows" in text


def test_settings_stages_and_rules_that_differ_are_named(write: Write, clips: list[Clip]) -> None:
    a, b = write("a", clips), write("b", clips, stages={"posture": {"version": 5}})
    facts = json.loads((b / "dataset.json").read_text())
    facts["rules"][0]["threshold"] = 0.2
    facts["settings"]["rules"]["static"] = 0.2
    (b / "dataset.json").write_text(json.dumps(facts))
    found = diff(a, b)
    assert [(fact.path, fact.before, fact.after) for fact in found.facts] == [
        ("rules.static posture.stillness.threshold", 0.15, 0.2),
        ("settings.rules.static", None, 0.2),
        ("stages.posture.version", 4, 5),
    ]
    assert found.exit_code == DIFFERENT
    assert printed(found).endswith("every row is equal, dataset.json is not\n")


def test_everything_is_in_the_json(write: Write, store: Store, clips: list[Clip]) -> None:
    held = json.loads(to_json(without_one(write, store, clips)))
    assert held["same"] is False and held["clips"] == [4, 3]
    assert held["went"][0]["id"] == A_CLIP
    assert {"roots", "came", "changed", "moved", "facts", "rows"} < held.keys()


# ---- what cannot be compared -----------------------------------------------------------------------------------------


def test_what_is_no_dataset_or_a_broken_one_is_one_sentence(
    write: Write, clips: list[Clip], tmp_path: Path
) -> None:
    a, b = write("a", clips), write("b", clips)
    with pytest.raises(LookError, match="is no dataset"):
        diff(a, tmp_path / "nothing")
    (b / "decisions.parquet").write_bytes(b"PAR1")
    with pytest.raises(LookError, match=r"^decisions\.parquet: cannot be read: "):
        diff(a, b)
    (b / "decisions.parquet").unlink()
    with pytest.raises(LookError, match=r"^decisions\.parquet: is missing"):
        diff(a, b)
