"""The loop for executors that run elsewhere: values that stay on workers, workers that die, runs that come back."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from dagflow.core.annotations import flatten, unmapped
from dagflow.core.flow import Flow
from dagflow.engine.flow_runner import FlowRunner
from dagflow.engine.results import LocalResult
from dagflow.engine.state import Success
from dagflow.exceptions import ClusterError, ValueLostError, WorkerLostError
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.tasks import task
from tests.engine.flows import everything, told
from tests.engine.pretend import Death, PretendCluster, count, ran

LARGE = 300_000
"""More than travels with a state."""


@pytest.fixture(autouse=True)
def _fresh_counts() -> None:
    ran.clear()


@task
def large(x: int) -> bytes:
    count(("large", x))
    return bytes([x]) * LARGE


@task
def small(data: bytes) -> int:
    assert len(data) == LARGE
    return data[0]


@task
def total(values: list[int]) -> int:
    return sum(values)


@task
def sizes(values: list[bytes]) -> list[int]:
    return [len(value) for value in values]


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    flow = everything()
    state = flow.run()
    return told({flow.slugs[one]: found for one, found in state.result.items()})


@pytest.mark.parametrize("seed", range(30))
def test_a_flow_of_every_kind_ends_the_same_in_any_order(seed: int, expected: dict[str, Any]) -> None:
    flow = everything()

    state = flow.run(executor=PretendCluster(seed))

    assert told({flow.slugs[one]: found for one, found in state.result.items()}) == expected


@pytest.mark.parametrize("seed", range(60))
def test_a_flow_of_every_kind_survives_dying_workers(seed: int, expected: dict[str, Any]) -> None:
    flow = everything()
    cluster = PretendCluster(seed, deaths=0.1)

    state = flow.run(executor=cluster)

    assert told({flow.slugs[one]: found for one, found in state.result.items()}) == expected


@pytest.mark.parametrize("seed", range(30))
def test_large_values_survive_dying_and_forgetful_workers(seed: int) -> None:
    with Flow("large") as flow:
        values = large.map(list(range(20)))
        first, second = small.map(values), small.map(values)
        lengths = sizes(values)
        sums = total(first), total(second)

    state = flow.run(executor=PretendCluster(seed, deaths=0.1, forgets=0.2))

    assert state.is_successful()
    assert [state.result[one].result for one in sums] == [190, 190]
    assert state.result[lengths].result == [LARGE] * 20


def test_large_values_do_not_pass_through_the_driver() -> None:
    with Flow("large") as flow:
        values = large.map(list(range(100)))
        again = small.map(values)
        end = total(again)
    cluster = PretendCluster()

    state = FlowRunner(flow).run(executor=cluster, return_tasks=[end])

    assert state.result[end].result == sum(range(100))
    assert cluster.fetched == []


def test_values_nobody_asked_for_come_home_while_they_are_few() -> None:
    with Flow("few") as flow:
        values = large.map([1, 2, 3])
        total(small.map(values))

    state = flow.run(executor=PretendCluster())

    assert [len(value) for value in state.result[values].result] == [LARGE] * 3


def test_values_that_were_asked_for_do_not_crowd_out_the_few_others() -> None:
    with Flow("crowd") as flow:
        few = large.map([1, 2, 3])
        large.map(small.map(few), task_args={"name": "last"})
        large.map(list(range(80)), task_args={"name": "others"})

    state = flow.run(executor=PretendCluster())

    assert [len(value) for value in state.result[few].result] == [LARGE] * 3


def test_many_values_nobody_asked_for_stay_and_say_so() -> None:
    with Flow("many") as flow:
        values = large.map(list(range(100)))
        end = total(small.map(values))

    state = flow.run(executor=PretendCluster())

    assert state.result[end].result == sum(range(100))
    with pytest.raises(ValueLostError, match=r"'large'.*return_tasks=\[\.\.\.\]"):
        state.result[values].map_states[99].result  # noqa: B018


def test_values_that_were_asked_for_come_along_and_serve_others_too() -> None:
    with Flow("asked") as flow:
        values = large.map(list(range(80)))
        total(small.map(values))

    state = FlowRunner(flow).run(executor=PretendCluster(), return_tasks=[values])

    assert [value[0] for value in state.result[values].result] == list(range(80))


def test_the_values_of_the_last_tasks_are_there() -> None:
    with Flow("last") as flow:
        values = large.map(list(range(80)))

    state = flow.run(executor=PretendCluster())

    assert [len(value) for value in state.result[values].result] == [LARGE] * 80


def test_a_value_that_was_lost_is_made_again_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    with Flow("again") as flow:
        one = large(7)
        end = small(one)
    with caplog.at_level(logging.WARNING):
        state = flow.run(executor=_Forgetting())

    assert state.result[end].result == 7 and ran["large", 7] == 2
    assert "The value of task 'large' is no longer on the cluster, so the task runs again" in caplog.text


class _Forgetting(PretendCluster):
    """Loses all values once, before the call after the first one that kept any."""

    done = False

    def as_completed(self, futures: Any, timeout: float | None = None) -> list[Any]:
        if any(self.values) and not self.done:
            self.done = True
            for values in self.values:
                values.clear()
        return super().as_completed(futures, timeout)


def test_a_checkpointed_value_that_was_lost_is_read_and_nothing_runs_again(tmp_path: Path) -> None:
    with Flow("read", result=LocalResult(dir=str(tmp_path), location="{task_full_name}")) as flow:
        values = large.map([1, 2, 3])
        lengths, firsts = sizes(values), small.map(values)
    with set_temporary_config({"flows.checkpointing": True}):
        state = flow.run(executor=_Forgetting())

    assert state.is_successful() and state.result[lengths].result == [LARGE] * 3
    assert state.result[firsts].result == [1, 2, 3]
    assert {count for (name, _), count in ran.items() if name == "large"} == {1}


def test_a_value_made_of_lost_values_is_made_again_from_the_start() -> None:
    @task
    def longer(data: bytes) -> bytes:
        return data + data

    with Flow("deep") as flow:
        end = sizes([longer(longer(large(3)))])
    cluster = PretendCluster(3, forgets=0.5)

    state = flow.run(executor=cluster)

    assert state.result[end].result == [4 * LARGE]


def test_a_value_that_cannot_be_made_again_fails_those_that_need_it() -> None:
    @task
    def once() -> bytes:
        if count("once") > 1:
            raise RuntimeError("only once")
        return b"x" * LARGE

    with Flow("once") as flow:
        first = once()
        end = small(first)

    state = flow.run(executor=_Forgetting())

    assert state.result[first].is_successful()
    assert isinstance(state.result[end].result, ValueLostError) and "only once" in str(state.result[end].result)


@pytest.mark.parametrize("seed", range(10))
def test_a_body_that_takes_workers_down_fails_alone(seed: int) -> None:
    @task
    def risky(x: int) -> int:
        if x == 57:
            raise Death
        return x

    with Flow("risky") as flow:
        r = risky.map(list(range(200)))
    cluster = PretendCluster(seed)

    state = flow.run(executor=cluster)

    failed = [child for child in state.result[r].map_states if child.is_failed()]
    assert [type(child.result) for child in failed] == [WorkerLostError] and failed[0] is state.result[r].map_states[57]
    assert cluster.killed <= 7, "a batch, its part, and the run alone a few times"


def test_a_run_is_not_blamed_for_deaths_before_it_began() -> None:
    class Unlucky(PretendCluster):
        """Kills the worker before the call begins, many times."""

        def as_completed(self, futures: Any, timeout: float | None = None) -> list[Any]:
            self.deaths = 0.0
            if self.killed < 20 and self.pending:
                call = self.pending.pop()
                self.killed += 1
                call.error = WorkerLostError("gone")
                return [call]
            return super().as_completed(futures, timeout)

    with Flow("unlucky") as flow:
        end = total([1, 2])

    assert flow.run(executor=Unlucky()).result[end].result == 3


def test_a_cluster_that_is_gone_fails_what_is_left_and_keeps_what_ended() -> None:
    class Vanishing(PretendCluster):
        """Answers two calls."""

        def as_completed(self, futures: Any, timeout: float | None = None) -> list[Any]:
            if self.calls < 3:
                return super().as_completed(futures, timeout)
            call = self.pending.pop()
            call.error = ClusterError("The scheduler is gone.")
            return [call]

    @task(max_retries=3, retry_delay=timedelta(hours=1))
    def step(x: int) -> int:
        return x + 1

    with Flow("gone") as flow:
        one = step(0)
        two = step(one)
        three = step(two)

    state = flow.run(executor=Vanishing())

    assert state.is_failed() and state.result[one].result == 1 and state.result[two].result == 2
    assert isinstance(state.result[three].result, ClusterError), "no retry waits for a cluster that is gone"


def test_a_cluster_that_forgot_a_value_and_does_not_know_it_is_not_believed_for_ever() -> None:
    class Confused(_Forgetting):
        def is_lost(self, future: Any) -> bool:
            return False

    with Flow("confused") as flow:
        end = small(large(7))
    cluster = Confused()

    assert flow.run(executor=cluster).result[end].result == 7
    assert cluster.calls < 12 and ran["large", 7] == 2


def test_a_cluster_that_is_gone_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    class Gone(PretendCluster):
        def as_completed(self, futures: Any, timeout: float | None = None) -> list[Any]:
            call = self.pending.pop()
            call.error = ClusterError("The scheduler is gone.")
            return [call]

    with Flow("gone") as flow:
        values = large.map(list(range(200)))

    state = flow.run(executor=Gone())

    assert all(isinstance(child.result, ClusterError) for child in state.result[values].map_states)
    assert len([record for record in caplog.records if record.levelno == logging.ERROR]) == 1


def test_a_list_on_a_worker_is_mapped_over_item_by_item() -> None:
    @task
    def pages() -> list[bytes]:
        return [bytes([x]) * 100_000 for x in range(30)]

    @task
    def first(page: bytes) -> int:
        return page[0]

    with Flow("pages") as flow:
        f = first.map(pages())

    cluster = PretendCluster()
    cluster.outpost.weight = LARGE

    state = FlowRunner(flow).run(executor=cluster, return_tasks=[f])

    assert state.result[f].result == list(range(30)) and cluster.fetched == []


def test_lists_on_workers_are_flattened_where_they_lie() -> None:
    @task
    def spread(x: int) -> Any:
        return [x, x + 1] if x else "text" * LARGE

    @task
    def kind(item: Any) -> str:
        return type(item).__name__

    with Flow("flat") as flow:
        kinds = kind.map(flatten(spread.map([0, 1, 2])))
    cluster = PretendCluster()
    cluster.outpost.weight = LARGE

    state = FlowRunner(flow).run(executor=cluster, return_tasks=[kinds])

    assert state.result[kinds].result == ["str", "int", "int", "int", "int"], "text is one item"
    assert cluster.fetched == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([[1, 2], (3,), []], [1, 2, 3]),
        ([[1], 2], [[1], 2]),
        ([1, 2], [1, 2]),
        ([{1}, {2}], [1, 2]),
        ("ab", ["a", "b"]),
        ([], []),
        ([{"a": 1}, {"b": 2}], ["a", "b"]),
    ],
)
def test_a_value_on_a_worker_is_flattened_as_one_at_hand_is(value: Any, expected: list[Any]) -> None:
    @task
    def give() -> Any:
        return value

    @task
    def same(x: Any) -> Any:
        return x

    with Flow("flat") as flow:
        mapped = same.map(flatten(give()))
        whole = same(flatten(give()))
    cluster = PretendCluster()
    cluster.outpost.weight = LARGE

    here, there = flow.run(), flow.run(executor=cluster)

    assert there.result[mapped].result == here.result[mapped].result == expected
    assert there.result[whole].result == here.result[whole].result


def test_an_item_that_cannot_be_taken_on_a_worker_fails_its_child_alone() -> None:
    class Odd:
        def __len__(self) -> int:
            return 3

        def __getitem__(self, number: int) -> int:
            if number == 1:
                raise KeyError(number)
            return number

    @task
    def odd() -> list[Any]:
        return Odd()  # type: ignore[return-value]

    @task
    def same(x: int) -> int:
        return x

    cluster = PretendCluster()
    cluster.outpost.weight = LARGE
    with Flow("odd") as flow:
        s = same.map(odd())

    children = flow.run(executor=cluster).result[s].map_states

    assert [child.is_successful() for child in children] == [True, False, True]
    assert isinstance(children[1].result, KeyError)


def test_a_shared_large_value_reaches_every_child() -> None:
    @task
    def pair(x: int, data: bytes) -> int:
        return x * data[0]

    with Flow("shared") as flow:
        p = pair.map(list(range(50)), unmapped(large(2)))

    assert flow.run(executor=PretendCluster()).result[p].result == [2 * x for x in range(50)]


def test_states_of_large_values_can_be_given_to_another_run() -> None:
    with Flow("seeded") as flow:
        one = large(5)
        end = small(one)
    first = flow.run(executor=PretendCluster())

    second = flow.run(executor=PretendCluster(), task_states={one: first.result[one]})

    assert second.result[end].result == 5 and ran["large", 5] == 1
    assert isinstance(first.result[one], Success)
