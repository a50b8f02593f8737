"""Tests of holding back native chatter."""

import os
import re
import threading

import pytest

from pipeline.perception.quiet import without

CHATTER = re.compile(rb"chatter")


def test_only_matching_lines_are_dropped(capfd: pytest.CaptureFixture[str]) -> None:
    with without(CHATTER):
        os.write(2, b"some chatter\nan error\nmore chatter\n")
    os.write(2, b"chatter afterwards\n")
    assert capfd.readouterr().err == "an error\nchatter afterwards\n"


def test_what_was_said_before_an_exception_is_still_told(
    capfd: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        with without(CHATTER):
            os.write(2, b"the cause\n")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert capfd.readouterr().err == "the cause\n"


def test_blocks_may_overlap_in_threads(capfd: pytest.CaptureFixture[str]) -> None:
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with without(CHATTER):
            inside.set()
            leave.wait(10.0)
            os.write(2, b"from the thread\n")

    thread = threading.Thread(target=hold)
    thread.start()
    inside.wait(10.0)
    with without(CHATTER):
        os.write(2, b"chatter\nfrom the test\n")
    leave.set()
    thread.join()
    assert capfd.readouterr().err == "from the test\nfrom the thread\n"
