"""Whole runs with a rule that keeps for training only: what is kept, where, and that nothing is measured twice."""

import csv
import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from pipeline.run.status import state
from tests.cases import Case
from tests.faults import cheap

pytestmark = [pytest.mark.xdist_group("known"), pytest.mark.timeout(240)]

STRICT = "rules.outside_frame=0.05"
"""Under which every candidate of the case is dropped."""
KEPT_FOR_TRAINING = (STRICT, "training_only=[outside_frame]")


def clips_of(case: Case) -> pd.DataFrame:
    return pd.read_parquet(case.out / "clips.parquet").set_index("id")


def test_what_a_rule_would_drop_is_kept_in_train_alone_and_nobody_moves(case: Case) -> None:
    before = clips_of(case)
    code, said = case.build(*KEPT_FOR_TRAINING)
    assert code == 0, said
    after = clips_of(case)
    assert set(before["use"]) == {"all"} and set(after["use"]) == {"train"}
    in_train = set(before.index[before["split"] == "train"])
    assert in_train <= set(after.index) and set(after["split"]) == {"train"}
    assert not set(before["identity"][before["split"] != "train"]) & set(after["identity"])
    rows = pd.read_parquet(case.out / "decisions.parquet")
    kept = rows[rows["verdict"] == "training_only"]
    assert set(kept["reason"]) == {"outside_frame"} and set(after.index) <= set(kept["subject"])
    left = set(rows["subject"][rows["reason"] == "person_held_out"])
    assert left == set(before.index[before["split"] != "train"]) | (
        set(kept["subject"]) - set(after.index)
    )
    facts = json.loads((case.out / "dataset.json").read_text())
    assert facts["counts"]["training_only"] == len(after)
    frames = facts["counts"]["frames_kept"] + sum(facts["counts"]["frames_dropped"].values())
    assert frames == facts["counts"]["frames"]
    assert f"for training only: {len(after)} clips" in said
    assert f"For training only (`use` is `train`): {len(after)} clips" in read(case, "README.md")
    assert "outside_frame (for training only)" in read(case, "README.md")


def test_without_the_setting_the_same_rule_keeps_nothing(case: Case) -> None:
    code, said = case.build(STRICT)
    assert code == 1, said


def test_the_setting_measures_nothing_again_but_what_was_stopped(case: Case) -> None:
    run = case.settings(*KEPT_FOR_TRAINING)
    before = clips_of(case)
    text = "\n".join(state(run, flow=cheap.flow(run)))
    assert "rules.outside_frame.training_only: False → True" in text
    assert case.build(*KEPT_FOR_TRAINING)[0] == 0
    assert case.build()[0] == 0
    again = clips_of(case)
    assert set(again["use"]) == {"all"}
    assert before["split"].to_dict() == again["split"].to_dict()


def test_a_dataset_of_before_shows_no_difference_but_its_own(case: Case) -> None:
    file = case.out / "dataset.json"
    facts = json.loads(file.read_text())
    for rule in facts["rules"]:
        del rule["training_only"]
    file.write_text(json.dumps(facts))
    run = case.settings()
    assert "training_only" not in "\n".join(state(run, flow=cheap.flow(run)))


def test_a_mark_in_the_list_reaches_tables_and_card_and_measures_nothing_again(case: Case) -> None:
    before = clips_of(case)
    marked = str(before["locator"][before["split"] == "train"].mode()[0])
    rows = list(csv.DictReader(case.listed.read_text().splitlines()))
    with case.listed.open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(["file", "speaker", "synthetic"])
        for row in rows:
            named = Path(row["file"]).name == Path(marked).name
            table.writerow([row["file"], row["speaker"], "Generated" if named else "none"])
    code, said = case.build()
    assert code == 0 and "frames decoded per source frame: 0.00" in said, said
    after = clips_of(case)
    sources = pd.read_parquet(case.out / "sources.parquet").set_index("locator")
    assert Counter(sources["synthetic"].dropna()) == {"generated": 1}
    made = after[after["synthetic"] == "generated"]
    assert set(made["use"]) == set(made["split"]) == {"train"}
    assert f"of them {len(made)} generated. " in read(case, "README.md")
    assert set(after["use"][after["synthetic"].isna()]) == {"all"}
    in_train = (before["locator"] == marked) & (before["split"] == "train")
    assert set(made.index) == set(before.index[in_train])
    facts = json.loads((case.out / "dataset.json").read_text())
    assert facts["counts"]["synthetic"] == {"dubbed": 0, "generated": len(made)}


def read(case: Case, name: str) -> str:
    return (case.out / name).read_text()
