"""How a command ends with an error: a mistake of the user's in one sentence, a fault of ours with its traceback."""

import pytest

from manifests.errors import OUR_FAULT, USER_MISTAKE, UserError, run_command


class Mistake(UserError):
    """One of the errors below the root."""


def test_a_mistake_is_one_sentence_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        raise Mistake("out: a folder is needed, got 7")

    with pytest.raises(SystemExit) as ended:
        run_command(command)
    assert ended.value.code == USER_MISTAKE == 2
    assert capsys.readouterr().err == "out: a folder is needed, got 7\n"


def test_a_fault_of_ours_has_an_exit_code_that_stands_for_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended:
        run_command(lambda: 1 // 0)
    assert ended.value.code == OUR_FAULT == 70
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_command_that_ends_by_itself_keeps_its_exit_code() -> None:
    with pytest.raises(SystemExit) as ended:
        run_command(lambda: (_ for _ in ()).throw(SystemExit(4)))
    assert ended.value.code == 4
