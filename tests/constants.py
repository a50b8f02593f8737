"""`python -m tests.constants`: every command, stage, rule and metric as a constant, and the test that notices.

Each subject is changed, one change at a time, in a copy of the project: its body returns the same whatever it is given.
The tests that are likely to see it run on the copy until the first fails. A subject whose change no test notices
survives, and the exit code is 1. Of a table all rows are changed at once, and a test with a row in its name is that
row's. At last the tests that failed run once more on the copy as it was: all have to pass.

That a test of types is not what notices is seen to by what is returned:

- a command returns at once, with exit code 0, as it would where there is nothing to do;
- a stage returns its record as it was given, or an empty answer of its own type; and, as a change of its own, the
  section that it measured first, for whatever comes later: a true answer, and wrong only for another subject;
- a rule keeps all, drops all, or reads the value that it read first;
- a metric is 0.0, or what it was first, wherever it is measured at all.

Subjects are found in the code (the apps, the flow, the tables of rules and metrics), so that a new one is asked for
without being told here: in the test file that is named after it, or where EXCEPTIONS says.
"""

import argparse
import ast
import inspect
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).resolve().parents[1]
LEFT_OUT = (
    ".git",
    ".venv",
    "__pycache__",
    ".pytest_cache",
    ".ruff_cache",
    "dataset",
    "dataset.work",
)
PYTEST = ("-x", "-q", "-rfE", "--tb=no", "-p", "no:cacheprovider")

WORDS = {
    "csg-data verify": "verified", "csg-data diff": "compared", "csg-data what-if": "threshold",
    "csg-data restore": "brought_back", "csg-data gc": "freed", "csg-data build": "broken_file",
    "csg-data status": "status", "csg-data look": "looked_at", "csg-data docs": "stale",
    "csg-data weights fetch": "fetched", "csg-data weights verify": "other_bytes",
    "csg-model train": "trained_and_moves", "csg-model import": "imported_and_moves",
    "csg-model generate": "nothing_is_said", "csg-model evaluate": "is_evaluated",
}  # fmt: skip
"""Words in the names of a command's own tests, in the file of its program; of any other command the whole file."""

EXCEPTIONS: dict[str, tuple[str, ...]] = {
    "csg-data doctor": ("known_issues/test_tables_are_squeezed_without_a_terminal.py",),
    "csg-data weights list": ("known_issues/test_tables_are_squeezed_without_a_terminal.py",),
    "csg-data sample": ("pipeline/test_sample.py", "-k", "command"),
    "csg-data settings": ("pipeline/test_config.py",),
    "csg-data compare-pose": ("pipeline/audit/test_compare_pose.py",),
    "csg-model systems": ("models/test_commands.py", "-k", "systems"),
    "csg-model prepare": ("models/test_commands.py", "-k", "prepared"),
    "stage fetch": ("pipeline/fetching/test_known.py", "known_issues/test_unreachable_source_is_dropped.py"),
    "stage sync": ("pipeline/test_sync_stage.py",),
    "metric psnr": ("models/evaluation/metrics/test_pictures.py",),
    "metric ssim": ("models/evaluation/metrics/test_pictures.py",),
}  # fmt: skip
"""Where a subject is tested that has no file named after it, below tests/."""

FIRST = '''
FIRST = {}


def first_answer(measure, name=""):
    """What was measured when this was asked for the first time."""
    if name not in FIRST:
        FIRST[name] = measure()
    return FIRST[name]
'''
"""Added to a changed file."""


@dataclass(frozen=True)
class Constant:
    """One change: of which subject, what it answers now, in which file, and the tests that are to notice."""

    subject: str
    answer: str
    file: str
    change: Callable[[str], str]
    tests: tuple[str, ...]
    row: str = ""  # of a table of them


@dataclass(frozen=True)
class Seen:
    """What became of a change."""

    constant: Constant
    killer: str | None
    seconds: float
    slow: bool = False
    broken: str = ""  # why the tests could not say

    def line(self) -> str:
        noticed = self.killer or (f"BROKEN: {self.broken}" if self.broken else "SURVIVED")
        slow = " (slow)" if self.slow else ""
        return f"{self.constant.subject} | {self.constant.answer} | {noticed}{slow} | {self.seconds:.0f}"


# ---- the changes -----------------------------------------------------------------------------------------------------


def with_body(place: str, body: str) -> Callable[[str], str]:
    """A change of a function's body; in it, the function as it was is called `measured_` and its name."""

    def change(text: str) -> str:
        tree: ast.Module = ast.parse(text)
        within: list[ast.stmt] = tree.body
        *outer, name = place.split(".")
        for each in outer:
            within = next(n for n in within if isinstance(n, ast.ClassDef) and n.name == each).body
        at = next(
            i for i, n in enumerate(within) if isinstance(n, ast.FunctionDef) and n.name == name
        )
        function = within[at]
        assert isinstance(function, ast.FunctionDef)
        kept = ast.FunctionDef(
            **{name: getattr(function, name) for name in function._fields if name != "type_params"}
        )
        kept.name, kept.decorator_list = f"measured_{name}", []
        doc = [function.body[0]] if ast.get_docstring(function) else []
        function.body = [*doc, *ast.parse(body).body]
        within.insert(at, kept)
        return ast.unparse(ast.fix_missing_locations(tree)) + "\n" + FIRST

    return change


def with_end(end: str) -> Callable[[str], str]:
    """A change that adds lines to the end of a file; several may follow each other."""
    return lambda text: f"{text if FIRST in text else text + FIRST}\n{end}"


def same_section(subject: str, method: str, arguments: str, section: str) -> dict[str, str]:
    """The constants of a stage that returns its record with a section more."""
    first = f"first_answer(lambda: self.measured_{method}({arguments}).{section})"
    return {
        "no section": f"return {subject}",
        "the first section": f"return {subject}.model_copy(update={{{section!r}: {first}}})",
    }


def same(arguments: str, empty: str) -> dict[str, str]:
    """The constants of a stage with an answer of its own."""
    return {
        "nothing": f"return {empty}",
        "the first answer": f"return first_answer(lambda: self.measured___call__({arguments}))",
    }


def on_source(section: str) -> dict[str, str]:
    return same_section("source", "__call__", "source, store", section)


def on_survey(section: str) -> dict[str, str]:
    return same_section("source", "finish", "source", section)


def on_clip(section: str) -> dict[str, str]:
    return same_section("clip", "__call__", "clip, frames", section)


STAGES: dict[str, tuple[str, dict[str, str]]] = {
    "fetch": (
        "FetchSource.__call__",
        {
            "no section": "return Source(origin=located.origin)",
            "the first section": "return Source(origin=located.origin, fetched=first_answer("
            "lambda: self.measured___call__(located, store).fetched))",
        },
    ),
    "probe": ("Probe.__call__", on_source("media")),
    "speech": ("HearSpeech.__call__", on_source("speech")),
    "shots": ("ShotsWatcher.finish", on_survey("shots")),
    "people": ("PeopleWatcher.finish", on_survey("people")),
    "spans": ("Spans.__call__", same("source", "()")),
    "pose": ("EstimatePose.__call__", on_clip("pose")),
    "posture": ("MeasurePosture.__call__", on_clip("posture")),
    "sync": ("MeasureSync.__call__", on_clip("sync")),
    "framing": ("FrameSpeaker.__call__", on_clip("framing")),
    "crop": ("CropClip.__call__", on_clip("crop")),
    "identity": (
        "Identify.__call__",
        same("clips, store, frozen", "Grouping((), {}, dict(frozen))"),
    ),
    "split": (
        "Splitting.assign",
        {
            "all in train": "sides = dict.fromkeys(groups, 'train'); return Assigned(sides, {**frozen, **sides}, ())",
            "the first answer": "return first_answer(lambda: self.measured_assign(groups, frozen))",
        },
    ),
    "pack": (
        "Packing.__call__",
        same("clips, store, folder, earlier=earlier, seals=seals", "Packed((), {}, (), {})"),
    ),
}
"""What each stage answers as a constant, and in which method."""

RULE = """
class Constant(Rule):
    __slots__ = ()
{method}

def changed(rules, Constant=Constant):
    names = Rule.__dataclass_fields__
    return tuple(
        Constant(**{{name: getattr(rule, name) for name in names}}) if str(rule.why) == {why!r} else rule
        for rule in rules
    )


SOURCE_RULES, CLIP_RULES = changed(SOURCE_RULES), changed(CLIP_RULES)
RULES = SOURCE_RULES + CLIP_RULES
"""
JUDGED = {
    "keeps": "    def passes(self, value): return True\n",
    "drops": "    def passes(self, value): return False\n",
    "the first value": """
    def value(self, section):
        value = Rule.value(self, section)
        return None if value is None else first_answer(lambda: value, self.why)
""",
}
METRIC = """
from dataclasses import replace


def constant(given, compute={table}[{name!r}].compute):
    value = compute(given)
    return None if value is None else {answer}


{table}[{name!r}] = replace({table}[{name!r}], compute=constant)
"""
COMPUTED = {"0.0": "0.0", "the first value": "first_answer(lambda: value, {name!r})"}


# ---- the subjects, as the code has them ------------------------------------------------------------------------------


def constants() -> Iterator[Constant]:
    """Every change of every subject."""
    yield from commands()
    yield from stages()
    yield from rules()
    yield from metrics()


def commands() -> Iterator[Constant]:
    from typer.main import get_command_name

    from models.__main__ import app as model
    from pipeline.__main__ import app as data

    for program, app in (("csg-data", data), ("csg-model", model)):
        half = "pipeline" if program == "csg-data" else "models"
        for group in (app, *(each.typer_instance for each in app.registered_groups)):
            prefix = next(
                (f" {g.name}" for g in app.registered_groups if g.typer_instance is group), ""
            )
            for each in group.registered_commands if group else ():
                made = each.callback
                assert made is not None
                name = f"{program}{prefix} {each.name or get_command_name(made.__name__)}"
                file = Path(inspect.getfile(made)).resolve().relative_to(ROOT)
                words = ("-k", WORDS[name]) if name in WORDS else ()
                tests = EXCEPTIONS.get(name, (f"{half}/test_main.py", *words))
                yield Constant(
                    name, "does nothing", str(file), with_body(made.__name__, "return"), tests
                )


def stages() -> Iterator[Constant]:
    from pipeline import flow
    from pipeline.config import Run

    for stage in flow.build(Run()).stages:
        place, bodies = STAGES[stage.name]
        file = Path(inspect.getfile(type(stage))).resolve().relative_to(ROOT)
        subject = f"stage {stage.name}"
        tests = EXCEPTIONS.get(subject, (f"pipeline/test_{stage.name}.py",))
        for answer, body in bodies.items():
            yield Constant(subject, answer, str(file), with_body(place, body), tests)


def rules() -> Iterator[Constant]:
    from pipeline.rules import RULES

    for why in (str(rule.why) for rule in RULES):
        subject = f"rule {why}"
        tests = EXCEPTIONS.get(subject, ("pipeline/test_rules.py",))
        for answer, method in JUDGED.items():
            end = with_end(RULE.format(method=method, why=why))
            yield Constant(subject, answer, "pipeline/rules.py", end, tests, why)


def metrics() -> Iterator[Constant]:
    from models.evaluation.metrics.table import METRICS, SETS

    file = "models/evaluation/metrics/table.py"
    for table, names in (("METRICS", METRICS), ("SETS", SETS)):
        for name in names:
            subject = f"metric {name}"
            by_name = ("models/evaluation/metrics/test_table.py", "-k", f"[{name}]")
            tests = EXCEPTIONS.get(subject, by_name)
            for answer, code in COMPUTED.items():
                given = code.format(name=name)
                end = with_end(METRIC.format(table=table, name=name, answer=given))
                yield Constant(subject, answer, file, end, tests, name)


# ---- a copy, and the tests on it -------------------------------------------------------------------------------------


@dataclass
class Copy:
    """The project in a folder of its own. No two writes have one time: no compiled file is taken for another's."""

    folder: Path
    times: Iterator[int] = field(default_factory=lambda: iter(range(1_000_000_000, 2_000_000_000)))

    @classmethod
    def make(cls, folder: Path) -> "Copy":
        shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(*LEFT_OUT))
        (folder / ".venv").symlink_to(ROOT / ".venv")
        return cls(folder)

    def write(self, file: str, text: str) -> None:
        place, at = self.folder / file, next(self.times)
        place.write_text(text)
        os.utime(place, (at, at))

    def play_rows(self, table: Sequence[Constant]) -> list[Seen]:
        """One answer of every row of a table at once: a test that has a row in its name asks that row alone.

        Only of rows that such a test notices; the others are to be played one by one.
        """
        began, file = time.monotonic(), table[0].file
        whole = changed = (self.folder / file).read_text()
        for each in table:
            changed = each.change(changed)
        tests = sorted({f"tests/{name}" for each in table for name in each.tests if ".py" in name})
        self.write(file, changed)
        try:
            _, failed = self.test(["--maxfail=0", *tests])
        finally:
            self.write(file, whole)
        took = (time.monotonic() - began) / len(table)
        found: list[Seen] = []
        for each in table:
            killers = [test for test in failed if test.endswith(f"[{each.row}]")]
            if killers:
                found.append(Seen(each, killers[0].removeprefix("tests/"), took))
        return found

    def test(self, arguments: Sequence[str]) -> tuple[int, list[str]]:
        """Exit code of pytest on this copy, and the tests that failed."""
        environment = {
            **os.environ,
            "PYTHONPATH": str(self.folder),
            "COSPEECH_SHARED": os.environ.get("COSPEECH_SHARED", str(ROOT.parent / "shared")),
        }
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *PYTEST, *arguments],
            cwd=self.folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.returncode, re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)

    def play(self, constant: Constant) -> Seen:
        """The change, the tests, and the file as it was."""
        began = time.monotonic()
        whole = (self.folder / constant.file).read_text()
        changed = constant.change(whole)
        tests = [f"tests/{each}" if ".py" in each else each for each in constant.tests]
        self.write(constant.file, changed)
        try:
            for marks in ((), ("-m", "slow and not gpu")):
                code, failed = self.test([*marks, *tests])
                took = time.monotonic() - began
                if code == 1 and failed:
                    return Seen(constant, failed[0].removeprefix("tests/"), took, slow=bool(marks))
                if code not in (0, 5) or (code == 5 and not marks):
                    return Seen(constant, None, took, broken=f"pytest ended with {code}")
            return Seen(constant, None, time.monotonic() - began)
        finally:
            self.write(constant.file, whole)


def play(chosen: Sequence[Constant], folder: Path, at_once: int) -> list[Seen]:
    """Every change, some at once, with a line for each as it is known. Tables go first, all their rows at once."""
    copies: Queue[Copy] = Queue()
    for number in range(at_once):
        copies.put(Copy.make(folder / str(number) / "cospeech"))

    def played(some: Sequence[Constant]) -> list[Seen]:
        copy = copies.get()
        try:
            seen = [copy.play(some[0])] if len(some) == 1 else copy.play_rows(some)
        finally:
            copies.put(copy)
        for each in seen:
            print(each.line(), flush=True)
        return seen

    tables: dict[tuple[str, str], list[Constant]] = {}
    for each in chosen:
        if each.row:
            tables.setdefault((each.file, each.answer), []).append(each)
    with ThreadPoolExecutor(at_once) as pool:
        found = [seen for some in pool.map(played, tables.values()) for seen in some]
        known = {(seen.constant.subject, seen.constant.answer) for seen in found}
        left = [[each] for each in chosen if (each.subject, each.answer) not in known]
        found += [seen for some in pool.map(played, left) for seen in some]
    return found


def control(seen: Sequence[Seen], copy: Copy) -> list[str]:
    """Of the tests that failed on a change, those that fail without one too."""
    tests = sorted({f"tests/{each.killer}" for each in seen if each.killer})
    return copy.test(["-m", "not gpu", "--maxfail=0", *tests])[1] if tests else []


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what the command line asks for; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.constants", description=__doc__)
    parser.add_argument(
        "--only", default="", help="of `subject: answer` what holds this regular expression"
    )
    parser.add_argument("--at-once", type=int, default=2, help="changes at a time, each in a copy")
    asked = parser.parse_args(arguments)
    chosen = [c for c in constants() if re.search(asked.only, f"{c.subject}: {c.answer}")]
    with tempfile.TemporaryDirectory(prefix="cospeech-constants-") as folder:
        print("subject | answers | noticed by | seconds")
        seen = play(chosen, Path(folder), asked.at_once)
        unfit = control(seen, Copy(Path(folder) / "0" / "cospeech"))
    survived = [each for each in seen if each.killer is None]
    subjects = {each.constant.subject for each in seen}
    print(
        f"\n{len(subjects)} subjects, {len(seen)} constants: {len(seen) - len(survived)} noticed, "
        f"{sum(each.slow for each in seen)} by slow tests alone"
    )
    for each in survived:
        print(each.line())
    for test in unfit:
        print(f"fails without any change too: {test}")
    return int(bool(survived or unfit or not seen))


if __name__ == "__main__":
    sys.exit(main())
