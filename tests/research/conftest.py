"""A folder of lists of clips that are nowhere: names of people, and in which list each of them is."""

from pathlib import Path

import pytest

from research.truth.sync_clips import speakers

PAIR = ("pair-a.mp4", "pair-b.mp4")
"""Two clips of what may be one person."""
ALONE = tuple(f"talker-{number:02}.mp4" for number in range(18))
LISTS = {
    "speech/single": ("pair-a", "pair-b", *(name.removesuffix(".mp4") for name in ALONE)),
    "sync/speakers": (*PAIR, *ALONE),
    "sync/others": ("listener.mp4", "sitter.mp4"),
    "sync/generated": ("made.mp4@0", "made.mp4@250"),
    "sync/resting": ("sitter",),
    "sync/cuts": ("talker-17.mp4@100",),
    "filters/backdrops": ("trees.mp4", "street.mp4"),
}
ACTORS = (
    *((name, "both", "turned", "body", "talks") for name in PAIR),
    ("talker-00.mp4", "presenter", "frontal", "body", "talks"),
    ("made.mp4", "desk", "frontal", "body", "talks"),
    ("trees.mp4", "trees", "frontal", "nobody", "talks"),
    ("street.mp4", "street", "frontal", "nobody", "talks"),
)


@pytest.fixture(autouse=True)
def cases(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, named by COSPEECH_CASES."""
    folder = tmp_path / "cases"
    folder.mkdir()
    rows = [f"{name}\t{clip}" for name, clips in LISTS.items() for clip in clips]
    (folder / "lists.tsv").write_text("\n".join(["list\tclip", *rows]) + "\n")
    head = "file\tperson\tview\tshows\tmoves\tstart\tstop"
    actors = ["\t".join((*actor, "0", "8.4")) for actor in ACTORS]
    (folder / "actors.tsv").write_text("\n".join([head, *actors]) + "\n")
    (folder / "actors_more.tsv").write_text(f"{head}\n")
    monkeypatch.setenv("COSPEECH_CASES", str(folder))
    return folder


@pytest.fixture
def faces(cases: Path) -> list[str]:
    """A face in each clip of a talking person."""
    return [f"{clip}.0" for clip in speakers()]
