"""Who is silent: counted in the driver's own seconds, and excused by processor time."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.run.worker_table import Check, Seen, WorkerTable

A, B = "tcp://a:1", "tcp://b:1"


def looks(table: WorkerTable, *seen: dict[str, Seen], elapsed: float = 1.0) -> list[str]:
    """The workers found silent over some looks, in order."""
    return [worker.address for facts in seen for worker in table.update(facts, elapsed).silent]


def test_a_worker_is_silent_after_so_many_seconds_without_a_heartbeat() -> None:
    table = WorkerTable(silent_seconds=10.0)
    still = {A: Seen("h", heard=5.0)}
    assert looks(table, *[still] * 11) == []
    assert looks(table, still) == [A], "the first look counts nothing: the worker was seen then"
    assert A not in table.workers


def test_a_heartbeat_starts_the_count_anew() -> None:
    table = WorkerTable(silent_seconds=10.0)
    assert looks(table, *[{A: Seen("h", heard=1.0)}] * 11, *[{A: Seen("h", heard=2.0)}] * 11) == []


def test_processor_time_is_a_sign_of_life_of_a_step_that_lets_nothing_else_run() -> None:
    table = WorkerTable(silent_seconds=10.0)
    assert looks(table, *[{A: Seen("h", heard=1.0, cpu=float(n))} for n in range(100)]) == []
    assert looks(table, *[{A: Seen("h", heard=1.0, cpu=99.0)}] * 11) == [A]


@given(st.lists(st.floats(0.0, 1e9), min_size=1, max_size=50))
def test_a_clock_that_jumps_makes_nobody_silent(clock: list[float]) -> None:
    """Heartbeats arrive, with whatever times on them; what counts is that they differ."""
    table = WorkerTable(silent_seconds=4.0)
    jumping = [{A: Seen("h", heard=time + n * 1e-3)} for n, time in enumerate(clock)]
    assert all(not looks(table, facts, elapsed=1.0) for facts in jumping for _ in range(2))


def test_a_large_cluster_has_longer_between_heartbeats() -> None:
    table = WorkerTable(silent_seconds=1.0)
    crowd = {f"tcp://w:{n}": Seen("h", heard=0.0) for n in range(600)}
    assert looks(table, *[crowd] * 17) == [], "16 s: four times the 4 s that Dask takes for 600"
    assert len(looks(table, crowd)) == 600


def test_a_worker_that_leaves_is_gone_and_not_silent() -> None:
    table = WorkerTable(silent_seconds=10.0)
    table.update({A: Seen("h", 1.0), B: Seen("h", 1.0)}, 1.0)
    changes = table.update({B: Seen("h", 1.5)}, 1.0)
    assert [worker.address for worker in changes.gone] == [A]
    assert changes.silent == ()


def test_a_paused_worker_gets_nothing_and_is_stuck_while_it_is_at_nothing() -> None:
    table = WorkerTable(silent_seconds=10.0)
    for heard in range(4):
        table.update({A: Seen("h", float(heard), running=False, busy=heard < 2)}, 1.0)
    worker = table.workers[A]
    worker.check = Check.FIT
    assert worker.stuck == 2.0
    assert table.checked(Check.FIT) == []
    table.update({A: Seen("h", 9.0)}, 1.0)
    assert worker.stuck == 0.0 and table.checked(Check.FIT) == [worker]


def test_a_worker_is_named_by_what_is_known_of_it() -> None:
    table = WorkerTable(silent_seconds=10.0)
    table.update({A: Seen("10.0.0.7", 1.0)}, 1.0)
    worker = table.workers[A]
    assert worker.named == "worker tcp://a:1 (on 10.0.0.7)"
    worker.host, worker.pid = "node7", 42
    assert worker.named == "worker tcp://a:1 (pid 42 on node7)"
