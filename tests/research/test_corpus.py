"""The list of the corpus of both folders, and the numbers that are printed of what was built from it."""

import json
from pathlib import Path

import pandas as pd
import pytest

from pipeline.sources.lists import read_sources
from research.corpus import TRAINING_ONLY, holdings, write_list

LABELS = (
    ("video/talker-00.mp4", "keep", "1 woman, half-body"),
    ("video/made.mp4", "any: lips may not fit", "1 man at a desk"),
    ("video/two.mp4", "any: who speaks", "2 presenters side by side"),
    ("video/guitar.mp4", "drop: singing", "1 woman; SOURCE with foreign audio"),
)
MORE = (
    ("more/drama.mp4", "1", "voice may be studio-dubbed"),
    ("more/film.mp4", "1", "film excerpt"),
    ("more/bed.mp4", "1", "face may be swapped"),
)


@pytest.fixture
def media(tmp_path: Path, cases: Path) -> Path:
    with (cases / "lists.tsv").open("a") as lists:
        lists.write("sync/dubbed\tfilm.mp4\n")
    (cases / "actors_more.tsv").write_text("file\tperson\tview\tshows\tmoves\tstart\tstop\n")
    (cases / "folds.tsv").write_text("person\tfold\npresenter\tfit\nfilm\treport\n")
    folder = tmp_path / "media"
    folder.mkdir()
    labels = ["\t".join((*row, "CC BY")) for row in LABELS]
    (folder / "labels.tsv").write_text("\n".join(["file\texpect\tseen\tlicence", *labels]) + "\n")
    more = ["\t".join((*row, "MIT")) for row in MORE]
    (folder / "more.tsv").write_text("\n".join(["file\tpeople\tnotes\trepo_licence", *more]) + "\n")
    return folder


def test_the_list_names_speakers_who_are_alone_and_what_is_dubbed_or_generated(
    media: Path, tmp_path: Path
) -> None:
    write_list(media, tmp_path / "out" / "sources.tsv")
    found = {one.origin.title: one.origin for one in read_sources(tmp_path / "out" / "sources.tsv")}
    assert {name: one.speaker for name, one in found.items()} == {
        "talker-00.mp4": "presenter",
        "made.mp4": "desk",
        "two.mp4": None,
        "guitar.mp4": "guitar",
        "drama.mp4": "drama",
        "film.mp4": "film",
        "bed.mp4": "bed",
    }
    assert {name: one.synthetic for name, one in found.items() if one.synthetic} == {
        "made.mp4": "generated",
        "bed.mp4": "generated",
        "guitar.mp4": "dubbed",
        "drama.mp4": "dubbed",
        "film.mp4": "dubbed",
    }
    assert found["talker-00.mp4"].licence == "CC BY" and found["film.mp4"].licence == "MIT"
    assert found["film.mp4"].locator == str(media / "more" / "film.mp4")


def test_the_numbers_of_a_corpus_are_counted_by_use_split_mark_and_fold(
    media: Path, tmp_path: Path
) -> None:
    rows = [
        ("talker-00.mp4", "a", "train", "all", None, 10.0, 5.0),
        ("talker-00.mp4", "a", "train", "train", None, 6.0, 3.0),
        ("film.mp4", "b", "train", "train", "dubbed", 8.0, 4.0),
        ("two.mp4", "c", "val", "all", None, 7.0, None),
    ]
    names = ["title", "identity", "split", "use", "synthetic", "seconds", "sync_confidence"]
    pd.DataFrame(rows, columns=names).to_parquet(tmp_path / "clips.parquet")
    facts = {
        "stages": {"sync": {"backend": {"sure_from": 4.0}}},
        "settings": {"sync": {"backend": "light-asd"}},
    }
    (tmp_path / "dataset.json").write_text(json.dumps(facts))
    lines = list(holdings(tmp_path))
    assert lines[2] == "| all | 4 | 3 | 31.0 | 2 |"
    for line in (
        "| use: train | 2 | 2 | 14.0 | 1 |",
        "| split: val | 1 | 1 | 7.0 | 0 |",
        "| synthetic: dubbed | 1 | 1 | 8.0 | 1 |",
        "| fold: fit | 2 | 1 | 16.0 | 1 |",
        "| fold: none | 1 | 1 | 7.0 | 0 |",
    ):
        assert line in lines
    assert lines[-1] == "sure: light-asd says so from confidence 4.0 on"
    facts["stages"]["sync"]["backend"] = {}
    (tmp_path / "dataset.json").write_text(json.dumps(facts))
    assert list(holdings(tmp_path))[-1] == "light-asd is never sure of an offset"


def test_the_rules_that_keep_for_training_may_do_so() -> None:
    from pipeline.rules import CLIP_RULES, with_training_only

    kept = [
        rule.why for rule in with_training_only(CLIP_RULES, TRAINING_ONLY) if rule.training_only
    ]
    assert sorted(map(str, kept)) == sorted(TRAINING_ONLY)
