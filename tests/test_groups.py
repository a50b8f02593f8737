"""Tests of one group share what one process made: a pytest that xdist does not understand spreads them in silence."""

import os

import pytest


@pytest.mark.xdist_group("groups")
@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="tests run in one process")
def test_the_groups_of_tests_are_seen(request: pytest.FixtureRequest) -> None:
    assert request.node.nodeid.endswith("@groups")
