"""The dataset card: README.md of a dataset, written from what the run measured and nothing else."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from manifests.geometry import FPS
from manifests.record import Clip, Why
from pipeline.audit.account import Account
from pipeline.config import Run
from pipeline.flow import Flow
from pipeline.rules import Rule
from pipeline.stages.s090_sync import MeasureSync


@runtime_checkable
class Facts(Protocol):
    """What the card needs of a finished run."""

    @property
    def account(self) -> Account: ...
    @property
    def sources(self) -> int: ...
    @property
    def clips(self) -> tuple[Clip, ...]: ...
    @property
    def root(self) -> str: ...


def card(run: Run, flow: Flow, facts: Facts) -> str:
    """Markdown with the front matter that dataset hubs read."""
    clips, account = facts.clips, facts.account
    lines = [
        "---",
        "task_categories: [other]",
        "tags: [co-speech-gesture, whole-body-pose, talking-person, webdataset]",
        "---",
        f"# {plain(run.name)}",
        "",
        f"{len(clips)} clips, {account.kept / FPS:.1f} s of {account.frames / FPS:.1f} s, "
        f"from {facts.sources} sources; "
        f"{len({c.identity.group for c in clips if c.identity})} speakers.",
        f"Root hash `{facts.root}`.",
        "",
        "| split | clips | seconds | speakers |",
        "|---|---:|---:|---:|",
        *[
            split_line(side, [c for c in clips if c.split == side])
            for side in ("train", "val", "test")
        ],
        *training_lines(clips),
        "",
        "## Where every second went",
        "",
        "| | frames at 25 FPS | seconds |",
        "|---|---:|---:|",
        f"| in | {account.frames} | {account.frames / FPS:.2f} |",
        *[
            f"| dropped: {why} | {account.dropped[why]} | {account.dropped[why] / FPS:.2f} |"
            for why in Why
            if account.dropped.get(why)
        ],
        f"| kept | {account.kept} | {account.kept / FPS:.2f} |",
        "",
        "## Filters",
        "",
        "A filter that was not proven on real footage for the backend in use reports `unknown` and acts on nothing.",
        "",
        "| reason | keeps | unit | number from | proven for |",
        "|---|---|---|---|---|",
        *[rule_line(rule) for rule in (*flow.source_rules, *flow.clip_rules)],
        "",
        *[
            f"Lips and voice: {one.correction}."
            for one in flow.on_clip
            if isinstance(one, MeasureSync)
        ],
        "",
        "## Licences of the sources",
        "",
        "| licence | clips |",
        "|---|---:|",
        *[
            f"| {plain(licence or 'not stated')} | {sum(c.origin.licence == licence for c in clips)} |"
            for licence in sorted({c.origin.licence for c in clips}, key=str)
        ],
        "",
        "## Files",
        "",
        "`motion/*.tar`: `pose.npy` (F, 133, 3) float32 [x, y in pixels of the crop, confidence], `flac` (16 kHz mono,",
        "640·F samples), `json`. `video/*.tar`: `mp4` (H.264, 25 FPS, with sound), `json`. `clips.parquet`,",
        "`decisions.parquet`, `sources.parquet`: one row per clip, per decision, per source. `dataset.json`: settings,",
        "versions, counts and the root hash.",
        "",
    ]
    return "\n".join(lines)


def split_line(side: str, clips: list[Clip]) -> str:
    """One row of the splits."""
    seconds = sum(clip.span.frames for clip in clips) / FPS
    speakers = len({clip.identity.group for clip in clips if clip.identity})
    return f"| {side} | {len(clips)} | {seconds:.1f} | {speakers} |"


def training_lines(clips: Sequence[Clip]) -> list[str]:
    """What is for training only, and what is dubbed or generated; nothing where all is for everything."""
    trained = [clip for clip in clips if clip.use == "train"]
    if not trained:
        return []
    marks = Counter(clip.origin.synthetic for clip in trained if clip.origin.synthetic)
    seconds = sum(clip.span.frames for clip in trained) / FPS
    words = (
        ", ".join(f"{marks[mark]} {mark}" for mark in sorted(marks)) or "none dubbed or generated"
    )
    return [
        "",
        f"For training only (`use` is `train`): {len(trained)} clips, {seconds:.1f} s, of them {words}. "
        "None of them is in val or test; `decisions.parquet` says by which rule, with the verdict `training_only`.",
    ]


def rule_line(rule: Rule) -> str:
    """One row of the filters."""
    return (
        f"| {rule.why}{' (for training only)' if rule.training_only else ''} | "
        f"`{rule.measurement}` {rule.comparator} {rule.threshold:g} | {rule.unit} | "
        f"{rule.source} | {rule.proven_text} |"
    )


def plain(text: str) -> str:
    """Text from outside as harmless Markdown: one line, no markup."""
    return "".join(c if c.isalnum() or c in " -_.,:()/" else " " for c in text).strip()
