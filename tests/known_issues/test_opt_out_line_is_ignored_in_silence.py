"""Symptom: a line of the opt-out list that matched nothing, such as a hash as sha256sum prints it, was ignored."""

from pathlib import Path

import pytest

from pipeline.fetching import OptedOut, OptOuts, read_opt_outs

HASH, CLIP = "Ab" * 32, "0123456789abcdefABCDEF01"


def opt_outs(folder: Path, *lines: str) -> OptOuts:
    (folder / "out.txt").write_text("".join(f"{line}\n" for line in lines))
    return read_opt_outs(folder / "out.txt")


@pytest.mark.parametrize(
    "line",
    [
        HASH,
        f"{HASH}  talks/a.mp4",
        f"{HASH} *talks/a.mp4",
        f"\\{HASH}  new\\nline.mp4",
        f"sha256:{HASH}",
        f"{HASH}  # by mail",
    ],
)
def test_a_hash_in_any_of_its_forms_leaves_out_its_bytes(tmp_path: Path, line: str) -> None:
    with pytest.raises(OptedOut, match=r"its bytes abababababab are on out\.txt"):
        opt_outs(tmp_path, line).check_bytes("a.mp4", HASH.lower())


@pytest.mark.parametrize("line", [CLIP, f"clip:{CLIP}", f"CLIP: {CLIP}"])
def test_a_clip_is_left_out_by_its_id(tmp_path: Path, line: str) -> None:
    with pytest.raises(OptedOut, match=r"on out\.txt"):
        opt_outs(tmp_path, line).check_clip(CLIP.lower())


def test_a_line_that_matches_nothing_is_named(tmp_path: Path) -> None:
    found = opt_outs(
        tmp_path,
        "# asked for in March",
        "youtube:dQw4w9WgXcQ",
        "talks/a.mp4",
        "site: example.org",
        "site: example.net",
        "uploader: Some One",
        "uploader: Nobody",
        HASH,
        CLIP,
        "clip:" + "0" * 24,
    )
    said = found.unmatched(
        locators=["talks/a.mp4", "https://www.example.org/x", "a.csv line 3: youtube:x"],
        uploaders=["SOME ONE"],
        clips=[CLIP.lower()],
    )
    assert said == [
        "out.txt, line 2: 'youtube:dQw4w9WgXcQ' matches nothing of this run",
        "out.txt, line 5: 'site: example.net' matches nothing of this run",
        "out.txt, line 7: 'uploader: Nobody' matches nothing of this run",
        f"out.txt, line 8: '{HASH}' matches nothing of this run",
        f"out.txt, line 10: 'clip:{'0' * 24}' matches nothing of this run",
    ]


def test_a_line_that_left_a_source_out_matched_it(tmp_path: Path) -> None:
    """Of a source that was left out only the reason is kept, so the reason says which line it was."""
    found = opt_outs(tmp_path, "uploader:Some One", HASH, "site:example.org", "uploader:Other")
    details: list[str] = []
    for check in (
        lambda: found.check_uploader("x", ["Some One"]),
        lambda: found.check_bytes("x", HASH.lower()),
        lambda: found.check("x", "cdn.example.org"),
    ):
        with pytest.raises(OptedOut) as raised:
            check()
        details.append(raised.value.detail)
    assert found.unmatched(details=details) == [
        "out.txt, line 4: 'uploader:Other' matches nothing of this run"
    ]


def test_no_list_has_no_lines() -> None:
    assert read_opt_outs(None).unmatched() == []
