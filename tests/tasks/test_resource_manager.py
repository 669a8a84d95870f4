"""Resource managers."""

from __future__ import annotations

from typing import Any

import pytest

from dagflow import Flow, Parameter, case, resource_manager, task
from dagflow.engine.state import Success
from dagflow.tasks.core.resource_manager import ResourceManager

log: list[Any] = []


@pytest.fixture(autouse=True)
def _fresh_log() -> None:
    log.clear()


class NumberBox:
    """Keep a number."""

    def __init__(self, number: int = 0) -> None:
        self.number = number

    def setup(self) -> int:
        log.append(("open", self.number))
        if self.number < 0:
            raise ValueError("no box")
        return self.number

    def cleanup(self, resource: int) -> None:
        log.append(("close", resource))
        if resource == 99:
            raise RuntimeError("stuck")


# A type checker does not see what a decorator makes of a class.
Box: Any = resource_manager(NumberBox, name="Box")


@task
def use(x: Any) -> Any:
    log.append(("use", x))
    return x


@task
def fail(x: Any) -> None:
    log.append("fail")
    raise ValueError("broken")


def kinds(state: Any) -> dict[str, str]:
    return {one.name: type(found).__name__ for one, found in state.result.items()}


def test_the_name_refers_to_a_manager() -> None:
    assert isinstance(Box, ResourceManager)
    assert Box.name == "Box"


def test_the_resource_is_opened_used_and_closed() -> None:
    with Flow("f") as flow, Box(7) as box:
        used = use(box)
    state = flow.run()

    assert log == [("open", 7), ("use", 7), ("close", 7)]
    assert kinds(state) == {"Box": "Success", "Box.setup": "Success", "use": "Success", "Box.cleanup": "Success"}
    assert flow.reference_tasks() == {used}


def test_arguments_may_be_tasks_and_keywords() -> None:
    with Flow("f") as flow:
        p = Parameter("p", default=3)
        with Box(number=p) as box:
            use(box)
        with Box() as default:
            use(default)
    flow.run(p=4)

    assert {("open", 4), ("use", 4), ("close", 4), ("open", 0), ("close", 0)} <= set(log)


def test_wrong_arguments_are_refused_when_the_flow_is_built() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'nubmer'"):
        Box(nubmer=3, flow=Flow("f"))


def test_options_of_the_three_tasks() -> None:
    class Plain:
        def setup(self) -> None: ...
        def cleanup(self, resource: Any) -> None: ...

    manager = resource_manager(
        name="db",
        init_task_kwargs={"tags": ["i"]},
        setup_task_kwargs={"tags": ["s"], "checkpoint": True},
        cleanup_task_kwargs={"tags": ["c"]},
    )(Plain)
    with Flow("f") as flow, manager() as resource:
        use(resource)

    init, setup, cleanup = (flow.get_tasks(name=name)[0] for name in ("db", "db.setup", "db.cleanup"))
    assert (init.tags, setup.tags, cleanup.tags) == ({"i"}, {"s"}, {"c"})
    assert (setup.checkpoint, cleanup.checkpoint, cleanup.skip_on_upstream_skip) == (True, False, False)


def test_a_flow_is_needed() -> None:
    with pytest.raises(ValueError, match="outside a flow"):
        Box(1)


@pytest.mark.parametrize("thing", [type("NoCleanup", (), {}), len, 5])
def test_a_manager_is_a_class_with_a_cleanup(thing: Any) -> None:
    with pytest.raises(TypeError, match="cleanup"):
        resource_manager(thing)


def test_without_setup_there_is_no_resource_but_members_wait_for_init() -> None:
    @resource_manager
    class Folder:
        def __init__(self) -> None:
            log.append("made")

        def cleanup(self, resource: Any) -> None:
            log.append(("gone", resource))

    with Flow("f") as flow, Folder() as folder:  # type: ignore[attr-defined]
        used = use(1)
    flow.run()

    assert folder is None
    assert log == ["made", ("use", 1), ("gone", None)]
    assert {one.name for one in flow.upstream_tasks(used)} == {"Folder"}


def test_the_edges_of_a_block() -> None:
    with Flow("f") as flow:
        outside = use("outside")
        with Box(1) as box:
            free = use(outside)
            first = use(box)
            last = use(first)

    def names(tasks: Any) -> set[str]:
        return {flow.slugs[one] for one in tasks}

    assert names(flow.upstream_tasks(outside)) == set()
    assert names(flow.upstream_tasks(free)) == {"use-1", "Box.setup-1"}
    assert names(flow.upstream_tasks(first)) == {"Box.setup-1"}
    assert names(flow.upstream_tasks(last)) == {flow.slugs[first]}
    cleanup = flow.get_tasks(name="Box.cleanup")[0]
    assert names(flow.upstream_tasks(cleanup)) == {"Box-1", "Box.setup-1", flow.slugs[free], flow.slugs[last]}


def test_cleanup_runs_although_members_failed() -> None:
    with Flow("f") as flow, Box(7) as box:
        failing = fail(box)
        use(failing)
    state = flow.run()

    assert state.is_failed()
    assert log == [("open", 7), "fail", ("close", 7)]
    assert kinds(state)["Box.cleanup"] == "Success"


def test_cleanup_is_skipped_when_setup_failed() -> None:
    with Flow("f") as flow, Box(-1) as box:
        use(box)
    state = flow.run()

    assert kinds(state) == {"Box": "Success", "Box.setup": "Failed", "use": "TriggerFailed", "Box.cleanup": "Skipped"}
    assert log == [("open", -1)]


def test_cleanup_is_skipped_when_init_failed() -> None:
    with Flow("f") as flow, Box(fail(1)) as box:
        use(box)
    state = flow.run()

    assert kinds(state)["Box.cleanup"] == "Skipped"
    assert state.is_failed()


def test_a_failing_cleanup_leaves_the_flow_a_success() -> None:
    with Flow("f") as flow, Box(99) as box:
        use(box)
    state = flow.run()

    assert kinds(state)["Box.cleanup"] == "Failed"
    assert state.is_successful()


def test_a_block_inside_a_branch_that_is_not_taken_is_skipped() -> None:
    with Flow("f") as flow, case(use("a"), "b"), Box(1) as box:
        use(box)
    state = flow.run()

    assert log == [("use", "a")]
    assert {kinds(state)[name] for name in ("Box", "Box.setup", "Box.cleanup")} == {"Skipped"}


def test_a_branch_inside_a_block_is_closed_over() -> None:
    with Flow("f") as flow, Box(1) as box:
        with case(use("a"), "a"):
            use(box)
        with case(use("b"), "c"):
            use(("never", box))
    flow.run()

    assert log[-1] == ("close", 1)
    assert ("use", 1) in log
    assert len(log) == 5


def test_blocks_nest_like_with_statements() -> None:
    with Flow("f") as flow, Box(1) as outer:
        use(outer)
        with Box(2) as inner:
            use(inner)
    flow.run()

    assert log[0] == ("open", 1)
    assert log[-1] == ("close", 1)
    assert log.index(("open", 2)) < log.index(("use", 2)) < log.index(("close", 2))


def test_an_inner_failure_still_closes_both() -> None:
    with Flow("f") as flow, Box(1) as outer:
        with Box(2) as inner:
            fail(inner)
        use(outer)
    state = flow.run()

    assert state.is_failed()
    assert log[-1] == ("close", 1)
    assert ("close", 2) in log


def test_setup_and_cleanup_run_again_in_a_restart() -> None:
    with Flow("f") as flow, Box(7) as box:
        used = use(box)
        failing = fail(used)
    first = flow.run()
    log.clear()

    again = flow.run(task_states={one: state for one, state in first.result.items() if one is not failing})

    assert log == [("open", 7), "fail", ("close", 7)]
    assert again.result[used] is first.result[used]
    assert not any(isinstance(again.result[one], Success) and one is failing for one in again.result)


def test_tasks_of_another_flow_do_not_join() -> None:
    one, other = Flow("one"), Flow("other")

    with pytest.raises(ValueError, match=r"belongs to flow 'one'.*of 'other'"), Box(1, flow=one):
        use(1, flow=other)


def test_a_resource_may_be_used_by_mapped_tasks() -> None:
    from dagflow import unmapped

    @task
    def both(x: int, box: int) -> int:
        log.append(x)
        return x + box

    with Flow("f") as flow, Box(10) as box:
        made = both.map([1, 2], unmapped(box))

    assert flow.run().result[made].result == [11, 12]
    assert log == [("open", 10), 1, 2, ("close", 10)]
