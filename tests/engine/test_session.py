"""``flow.run()``: parameters, known states, schedules, approvals, context."""

from __future__ import annotations

import io
import logging
import sys
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pendulum
import pytest

import dagflow
from dagflow import Flow, Parameter, Task, context, task
from dagflow.core.edge import Edge
from dagflow.engine import FlowRunner
from dagflow.engine.state import Failed, Paused, Pending, Resume, Retrying, Running, Scheduled, State, Success
from dagflow.executors import LocalExecutor
from dagflow.schedules import CronSchedule, Schedule
from dagflow.schedules.clocks import DatesClock
from dagflow.tasks.secrets import EnvVarSecret
from dagflow.testing import FakeClock
from dagflow.utilities.configuration import set_temporary_config
from dagflow.utilities.tasks import pause_task


@task
def add(x: Any, y: Any = 1) -> Any:
    return x + y


@task
def show(key: str) -> Any:
    return context.get(key)


def with_clock(start: float = 1_700_000_000.0) -> tuple[type[FlowRunner], FakeClock]:
    """Return a runner on a clock that nobody waits for."""
    fake = FakeClock(start)

    class Runner(FlowRunner):
        clock = fake

    return Runner, fake


def sums() -> tuple[Flow, Parameter, Task]:
    with Flow("sums") as flow:
        p = Parameter("p", default=3)
        total = add(p)
    return flow, p, total


# --- parameters ---


def test_values_come_from_keywords_then_parameters_then_defaults() -> None:
    flow, _, total = sums()
    given = {"p": 5}

    results = [flow.run(parameters=given, p=10), flow.run(parameters=given), flow.run()]

    assert [state.result[total].result for state in results] == [11, 6, 4]
    assert given == {"p": 5}


def test_context_values_lie_between_explicit_ones_and_defaults() -> None:
    flow, _, total = sums()
    inside = {"parameters": {"p": 7}}

    assert flow.run(context=inside).result[total].result == 8
    assert flow.run(context=inside, p=0).result[total].result == 1
    with context(parameters={"p": 20}):
        assert flow.run().result[total].result == 21
        assert flow.run(context=inside).result[total].result == 8
    assert inside == {"parameters": {"p": 7}}


def test_a_parameter_shadows_an_option_of_the_same_name() -> None:
    with Flow("f") as flow:
        executor = Parameter("executor")()

    assert flow.run(executor="mine").result[executor].result == "mine"


@pytest.mark.parametrize(
    "given, kind, words",
    [
        ({"parameters": {"q": 1}}, ValueError, "no parameter 'q'"),
        ({"parameters": {"pp": 1}}, ValueError, "Did you mean 'p'"),
        ({"exeutor": 1}, TypeError, "Did you mean 'executor'"),
        ({"return_tasks": []}, ValueError, "return_tasks"),
        ({"parameters": [1]}, TypeError, "as a dict"),
        ({"context": "x"}, TypeError, "as a dict"),
        ({"executor": "threads"}, TypeError, "LocalDaskExecutor"),
    ],
)
def test_what_is_wrong_is_said_before_anything_runs(given: dict[str, Any], kind: type[Exception], words: str) -> None:
    ran: list[int] = []
    with Flow("f") as flow:
        Parameter("p", default=1)()
        task(lambda: ran.append(1), name="work")()

    with pytest.raises(kind, match=words):
        flow.run(**given)

    assert ran == []


def test_missing_values_are_named() -> None:
    with Flow("f") as flow:
        Parameter("first")()
        Parameter("second")()

    with pytest.raises(ValueError, match="'first', 'second'"):
        flow.run()
    with pytest.raises(ValueError, match="'second'"):
        flow.run(first=1)
    assert flow.run(first=1, context={"parameters": {"second": 2}}).is_successful()


def test_clock_defaults_beat_defaults_and_lose_to_explicit_values() -> None:
    with Flow("f") as flow:
        p, q = Parameter("p")(), Parameter("q", default=1)()
    runner, fake = with_clock()
    when = pendulum.from_timestamp(fake.time + 5)
    flow.schedule = Schedule(clocks=[DatesClock([when], parameter_defaults={"p": 10, "q": 20})])

    state = flow.run(runner_cls=runner)
    told = flow.run(runner_cls=with_clock()[0], q=2)

    assert (state.result[p].result, state.result[q].result) == (10, 20)
    assert (told.result[p].result, told.result[q].result) == (10, 2)


def test_a_task_may_change_its_parameters_without_anybody_noticing() -> None:
    @task
    def spoil() -> None:
        context.parameters["p"] = "spoiled"

    with Flow("f") as flow:
        p = Parameter("p", default=1)
        seen = show("parameters", upstream_tasks=[spoil(), p])
    given = {"p": 5}

    assert flow.run(parameters=given).result[seen].result == {"p": 5}
    assert given == {"p": 5}


# --- results and states ---


def test_every_task_has_a_state_also_those_never_reached() -> None:
    @task
    def pause() -> None:
        pause_task()

    with Flow("f") as flow:
        first = pause()
        never = add(first)
    state = FlowRunner(flow).run(return_tasks=[first, never])

    assert state.is_running()
    assert isinstance(state.result[first], Paused)
    assert (type(state.result[never]), state.result[never].message) == (Pending, "Task not run.")


def test_an_error_outside_tasks_is_the_result() -> None:
    class Broken(LocalExecutor):
        def submit(self, *args: Any, **kwargs: Any) -> Any:
            raise OSError("no worker")

    flow, _, _ = sums()

    state = flow.run(executor=Broken())

    assert state.is_failed()
    assert isinstance(state.result, OSError)


@pytest.mark.parametrize("where", ["state_handlers", "terminal_state_handler"])
def test_a_handler_that_returns_a_bare_state_does_not_lose_the_task_states(where: str) -> None:
    def handler(flow: Any, old: State, new: Any) -> State:
        final = old if where == "terminal_state_handler" else new
        return Failed("no") if final.is_finished() else final

    flow, _, total = sums()
    if where == "state_handlers":
        flow.state_handlers = [handler]
    else:
        flow.terminal_state_handler = handler

    state = flow.run()

    assert state.is_failed()
    assert state.result[total].result == 4


def test_a_terminal_handler_sees_the_end_and_may_keep_or_break_it() -> None:
    seen: list[Any] = []

    def handler(flow: Flow, state: State, reference: set[State]) -> None:
        seen.append((flow.name, type(state), {one.result for one in reference}))

    flow, _, _ = sums()
    flow.terminal_state_handler = handler
    assert flow.run().is_successful()
    flow.terminal_state_handler = lambda *given: 1 / 0

    state = flow.run()

    assert seen == [("sums", Success, {4})]
    assert state.is_failed()
    assert isinstance(state.result, ZeroDivisionError)


def test_known_states_stand_in_for_runs() -> None:
    flow, p, total = sums()

    state = flow.run(task_states={p: Success(result=40)})

    assert state.result[total].result == 41


def test_a_finished_state_of_the_flow_is_returned_at_once() -> None:
    flow, _, _ = sums()
    done = Success("done", result={})

    assert flow.run(state=done) is done


def test_a_restart_runs_only_what_is_missing() -> None:
    ran: list[str] = []

    @task
    def step(name: str, broken: bool, before: Any = None) -> str:
        ran.append(name)
        if broken:
            raise ValueError
        return name

    with Flow("f") as flow:
        broken = Parameter("broken")
        a = step("a", False)
        b = step("b", broken, a)
        c = step("c", False, b)
    first = flow.run(broken=True)
    ran.clear()

    known = {one: found for one, found in first.result.items() if found.is_successful() and one is not broken}
    state = flow.run(broken=False, task_states=known)

    assert ran == ["b", "c"]
    assert state.is_successful()
    assert (state.result[a].result, state.result[c].result) == ("a", "c")


def test_secrets_are_fetched_again_in_a_restart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "new")
    with Flow("f") as flow:
        secret = EnvVarSecret("TOKEN")()

    state = flow.run(task_states={secret: Success(result="old")})

    assert state.result[secret].result == "new"


# --- retries ---


def test_waiting_retries_hold_up_nobody_and_the_earliest_comes_first() -> None:
    order: list[str] = []

    def flaky(name: str) -> str:
        order.append(name)
        if context.task_run_count == 1:
            raise ValueError
        return name

    with Flow("f") as flow:
        task(flaky, max_retries=1, retry_delay=timedelta(minutes=10))("late")
        task(flaky, max_retries=1, retry_delay=timedelta(minutes=1))("soon")
        task(flaky, name="free", max_retries=2, retry_delay=timedelta(0))("free")
    runner, fake = with_clock()

    state = flow.run(runner_cls=runner)

    assert state.is_successful()
    assert [name for name in order if name != "free"] == ["late", "soon", "soon", "late"]
    assert order.index("free") < order.index("soon", order.index("soon") + 1)
    assert [round(seconds) for seconds in fake.slept] == [60, 540]


def test_one_executor_serves_all_attempts() -> None:
    starts: list[int] = []

    class Counting(LocalExecutor):
        def start(self) -> Any:
            starts.append(1)
            return super().start()

    @task(max_retries=2, retry_delay=timedelta(minutes=1))
    def flaky() -> int:
        if context.task_run_count < 3:
            raise ValueError
        return 1

    with Flow("f") as flow:
        flaky()

    assert flow.run(executor=Counting(), runner_cls=with_clock()[0]).is_successful()
    assert starts == [1]


def test_ids_and_contexts_stay_the_same_over_all_attempts() -> None:
    seen: list[tuple[Any, ...]] = []

    @task(max_retries=1, retry_delay=timedelta(minutes=1))
    def look(x: int) -> None:
        seen.append((x, context.flow_run_id, context.task_run_id, context.mine))
        if context.task_run_count == 1:
            raise ValueError

    with Flow("f") as flow:
        looks = look.map([0, 1])
    flow.run(runner_cls=with_clock()[0], task_contexts={looks: {"mine": "yes"}})

    by_child = {x: {entry for entry in seen if entry[0] == x} for x in (0, 1)}
    assert len(seen) == 4
    assert [len(entries) for entries in by_child.values()] == [1, 1]
    assert len({entry[2] for entry in seen}) == 2
    assert {(entry[1], entry[3]) for entry in seen} == {(seen[0][1], "yes")}


# --- schedules ---


def daily(count: int, start: datetime) -> Schedule:
    """Return a schedule with *count* dates."""
    return Schedule(clocks=[DatesClock([start + timedelta(days=number) for number in range(count)])])


START = datetime(2024, 2, 28, tzinfo=UTC)


def test_a_schedule_runs_every_date_and_returns_the_last_state() -> None:
    with Flow("f") as flow:
        when = show("scheduled_start_time")
    flow.schedule = daily(3, START)
    runner, fake = with_clock(START.timestamp() - 60)

    state = flow.run(runner_cls=runner)

    assert state.result[when].result == START + timedelta(days=2)
    assert [round(seconds) for seconds in fake.slept] == [60, 86_400, 86_400]


def test_every_scheduled_run_has_ids_of_its_own() -> None:
    seen: list[str] = []
    with Flow("f") as flow:
        task(lambda: seen.append(context.flow_run_id), name="look")()
    flow.schedule = daily(3, START)

    flow.run(runner_cls=with_clock(START.timestamp() - 60)[0])

    assert len(set(seen)) == 3


def test_the_scheduled_time_is_the_same_for_every_attempt() -> None:
    seen: list[Any] = []

    @task(max_retries=1, retry_delay=timedelta(minutes=1))
    def look() -> None:
        seen.append(context.scheduled_start_time)
        if context.task_run_count == 1:
            raise ValueError

    with Flow("f") as flow:
        look()
    flow.schedule = daily(1, START)

    flow.run(runner_cls=with_clock(START.timestamp() - 60)[0])

    assert seen == [START, START]


def test_a_schedule_without_dates_is_an_error() -> None:
    flow = Flow("f", schedule=daily(2, START))

    with pytest.raises(ValueError, match="no date left"):
        flow.run(runner_cls=with_clock(START.timestamp() + 10 * 86_400)[0])


@pytest.mark.parametrize("how", ["argument", "setting"])
def test_a_scheduled_flow_may_be_run_at_once(how: str) -> None:
    with Flow("f", schedule=daily(2, START)) as flow:
        when = show("scheduled_start_time")
    runner, fake = with_clock(START.timestamp() - 3600)

    if how == "argument":
        state = flow.run(run_on_schedule=False, runner_cls=runner)
    else:
        with set_temporary_config({"flows.run_on_schedule": False}):
            state = flow.run(runner_cls=runner)

    assert state.result[when].result == START - timedelta(hours=1)
    assert fake.slept == []


def test_an_unbounded_schedule_goes_on_until_somebody_stops_it() -> None:
    runs: list[int] = []

    def work() -> None:
        runs.append(1)
        if len(runs) == 50:
            raise KeyboardInterrupt

    with Flow("f", schedule=CronSchedule("0 6 * * *")) as flow:
        task(work)()

    with pytest.raises(KeyboardInterrupt):
        flow.run(runner_cls=with_clock()[0])

    assert len(runs) == 50


def test_a_runner_without_a_clock_uses_the_real_one() -> None:
    class Odd:
        def __init__(self, flow: Flow) -> None:
            self.flow = flow

        def run(self, **options: Any) -> State:
            return Success(result=sorted(options))

    state = Flow("f").run(runner_cls=Odd)

    assert "parameters" in state.result


# --- approvals ---


@task
def approve(x: Any = 1) -> Any:
    pause_task("please")
    return x


def answer(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def test_a_paused_task_is_asked_for_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Flow("f") as flow:
        gate = approve()
        after = add(gate)
    answer(monkeypatch, "n\nwhat?\n Y \n")

    state = flow.run()

    assert state.result[after].result == 2
    assert capsys.readouterr().out.count("'approve' is paused") == 3


def test_paused_children_are_asked_for_one_by_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with Flow("f") as flow:
        gates = approve.map([1, 2])
    answer(monkeypatch, "y\nn\ny\n")

    state = flow.run()

    assert state.result[gates].result == [1, 2]
    asked = capsys.readouterr().out
    assert "approve[0]" in asked
    assert asked.count("'approve[1]' is paused") == 2


def test_an_input_that_ends_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    with Flow("f") as flow:
        approve()
    answer(monkeypatch, "n\n")

    with pytest.raises(EOFError):
        flow.run()


@pytest.mark.parametrize("mapped", [False, True])
def test_where_nobody_can_answer_the_run_stays_unfinished(monkeypatch: pytest.MonkeyPatch, mapped: bool) -> None:
    with Flow("f") as flow:
        gate = approve.map([1]) if mapped else approve()
        done = add(1)
    stdin = open("/dev/null")  # noqa: SIM115  (closed below)
    monkeypatch.setattr(sys, "stdin", stdin)
    monkeypatch.setattr(sys, "__stdin__", stdin)

    state = flow.run()

    stdin.close()
    assert isinstance(state, Running)
    paused = state.result[gate].map_states[0] if mapped else state.result[gate]
    assert isinstance(paused, Paused)
    assert state.result[done].result == 2


def test_a_pause_with_a_date_ends_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    @task
    def wait() -> Any:
        pause_task(duration=timedelta(seconds=0))
        return context.get("resume")

    with Flow("f") as flow:
        waited = wait()
    answer(monkeypatch, "")

    assert flow.run().result[waited].result is True


def test_resuming_by_a_known_state_needs_nobody() -> None:
    with Flow("f") as flow:
        gate = approve()

    assert flow.run(task_states={gate: Resume()}).result[gate].result == 1


# --- context ---


def test_what_a_task_finds_in_its_context() -> None:
    found: dict[str, Any] = {}

    @task(tags=["t"])
    def look(x: int) -> None:
        found.update(context.to_dict())

    with Flow("tale") as flow:
        Parameter("p", default=1)()
        look.map([5])
    flow.run(context={"mine": 3}, flow_run_name="first", p=2)

    expected = {
        "flow_name": "tale", "flow_id": "tale", "flow_run_name": "first", "parameters": {"p": 2}, "map_index": 0,
        "task_name": "look", "task_full_name": "look[0]", "task_slug": "look-t-1", "task_id": "look-t-1",
        "task_tags": {"t"}, "task_run_count": 1, "mine": 3, "checkpointing": False,
    }  # fmt: skip
    assert {key: found[key] for key in expected} == expected
    assert {"flow_run_id", "task_run_id", "caches", "config", "logger", "scheduled_start_time"} <= found.keys()
    assert found["logger"].name == "dagflow.look[0]"
    assert not {"task_loop_count", "task_loop_result", "resume", "task_run_name"} & found.keys()


@pytest.mark.parametrize("date", ["2024-02-28", datetime(2024, 2, 28), pendulum.datetime(2024, 2, 28)])
def test_days_follow_from_the_date(date: Any) -> None:
    keys = ["today", "yesterday", "tomorrow", "today_nodash", "yesterday_nodash", "tomorrow_nodash", "date"]
    with Flow("f") as flow:
        shown = show.map(keys)

    assert flow.run(context={"date": date}).result[shown].result == [
        "2024-02-28", "2024-02-27", "2024-02-29", "20240228", "20240227", "20240229", pendulum.datetime(2024, 2, 28),
    ]  # fmt: skip


def test_a_date_that_is_none_is_pointed_out_and_replaced() -> None:
    with Flow("f") as flow:
        date = show("date")

    with pytest.warns(UserWarning, match="no date"):
        state = flow.run(context={"date": "whenever"})

    assert isinstance(state.result[date].result, pendulum.DateTime)


def test_any_key_may_be_overridden() -> None:
    with Flow("f") as flow:
        shown = show.map(["today", "scheduled_start_time", "flow_run_id", "tomorrow"])

    state = flow.run(context={"today": "a", "scheduled_start_time": "b", "flow_run_id": "c", "date": "2024-01-01"})

    assert state.result[shown].result == ["a", "b", "c", "2024-01-02"]


def test_a_changed_setting_is_merged_into_the_others() -> None:
    @task
    def look() -> tuple[bool, bool]:
        return context.config.flows.checkpointing, "engine" in context.config

    with Flow("f") as flow:
        seen = look()

    assert flow.run(context={"config": {"flows": {"checkpointing": "maybe"}}}).result[seen].result == ("maybe", True)


def test_keys_a_task_sets_stay_with_it() -> None:
    @task
    def leave() -> None:
        context.trace = "mine"  # type: ignore[attr-defined]
        context["other"] = 1

    with Flow("f") as flow:
        seen = show("trace", upstream_tasks=[leave()])

    assert flow.run().result[seen].result is None
    assert "trace" not in context


def test_the_context_restores_everything() -> None:
    with context({"a": 1}, b=2):
        context.c = 3  # type: ignore[attr-defined]
        with context(a=5, config={"flows": {"checkpointing": True}}):
            assert (context.a, context.b, context.c) == (5, 2, 3)
            assert context.config.flows.checkpointing is True
        assert (context.a, context.config.flows.checkpointing) == (1, False)

    assert not {"a", "b", "c"} & set(context)
    with pytest.raises(AttributeError):
        context.a  # noqa: B018
    with pytest.raises(KeyError):
        context["a"]


def test_the_context_cannot_be_pickled() -> None:
    import cloudpickle

    with pytest.raises(TypeError, match="cannot be pickled"):
        cloudpickle.dumps(context)


def test_new_threads_start_with_the_configuration_only() -> None:
    found: list[Any] = []

    with context(secret_plan=1):
        thread = threading.Thread(target=lambda: found.append((context.get("secret_plan"), "config" in context)))
        thread.start()
        thread.join()

    assert found == [(None, True)]


# --- names and templates ---


@pytest.mark.parametrize(
    "template, name",
    [
        ("load-{x}-{today_nodash}", "load-b-20240228"),
        ("{parameters[p]}:{p}:{flow_name}", "7:7:f"),
        ("{date:%Y}-{task_full_name}", "2024-who[1]"),
        ("{config.backend}-{map_index}", f"{dagflow.config.backend}-1"),
        (lambda **keys: f"{keys['x']}!{keys['p']}", "b!7"),
        ("{x}", "b"),
    ],
)
def test_runs_are_named_by_templates(template: Any, name: str) -> None:
    @task(task_run_name=template)
    def who(x: str) -> Any:
        return context.task_run_name

    with Flow("f") as flow:
        Parameter("p")()
        named = who.map(["a", "b"])

    assert flow.run(p=7, context={"date": "2024-02-28"}).result[named].result[1] == name


def test_a_task_input_wins_over_context_and_parameters_in_a_template() -> None:
    @task(task_run_name="{today}-{p}")
    def who(today: str, p: str) -> Any:
        return context.task_run_name

    with Flow("f") as flow:
        Parameter("p")()
        named = who("input", "also")

    assert flow.run(p=7).result[named].result == "input-also"


def test_an_unknown_word_in_a_template_fails_the_task_and_its_handlers_hear() -> None:
    heard: list[str] = []

    def note(one: Any, old: State, new: State) -> None:
        heard.append(type(new).__name__)

    @task(task_run_name="{nowhere}", state_handlers=[note])
    def who() -> None: ...

    with Flow("f") as flow:
        named = who()
    state = flow.run()

    assert isinstance(state.result[named].result, KeyError)
    assert heard == ["Failed"]


def test_the_logger_of_a_run_is_that_of_the_task(caplog: pytest.LogCaptureFixture) -> None:
    @task
    def say() -> None:
        context.logger.info("hello")

    with Flow("f") as flow:
        say()
    with caplog.at_level(logging.INFO):
        flow.run()

    assert ("dagflow.say", "hello") in {(record.name, record.message) for record in caplog.records}


# --- flows in flows, flows in files ---


def test_a_flow_run_inside_a_task_starts_afresh() -> None:
    with Flow("inner") as inner:
        p = Parameter("p", default="inner default")()
        seen = {key: show(key) for key in ("map_index", "flow_name", "task_run_name", "mine")}

    @task(task_run_name="outer run")
    def run_it(x: int) -> dict[str, Any]:
        state = inner.run()
        return {"p": state.result[p].result, **{key: state.result[one].result for key, one in seen.items()}}

    with Flow("outer") as outer:
        Parameter("p", default="outer default")()
        runs = run_it.map([1, 2])
    state = outer.run(p="given", context={"mine": 5})

    assert state.result[runs].result == [
        {"p": "inner default", "map_index": None, "flow_name": "inner", "task_run_name": None, "mine": 5}
    ] * 2


def test_a_flow_that_is_being_loaded_is_not_run() -> None:
    flow, _, _ = sums()

    with context(loading_flow=True):
        with pytest.warns(UserWarning, match="being loaded"):
            assert flow.run() is None
        with pytest.warns(UserWarning, match="loaded"):
            assert flow.register("project") is None


def test_ids_and_names_are_made_up_or_given() -> None:
    with Flow("f") as flow:
        shown = show.map(["flow_run_id", "flow_run_name"])

    first, second = (flow.run().result[shown].result for _ in range(2))
    given = flow.run(flow_run_id="id", flow_run_name="name").result[shown].result

    assert given == ["id", "name"]
    assert all(len(one) == 36 for one in (*first, *second))
    assert len({*first, *second}) == 4


def test_cached_results_live_on_between_runs() -> None:
    calls: list[int] = []

    @task(cache_for=timedelta(hours=1))
    def costly() -> int:
        calls.append(1)
        return 5

    with Flow("f") as flow:
        one = costly()

    assert [flow.run().result[one].result for _ in range(3)] == [5, 5, 5]
    assert calls == [1]


def test_seeded_states_that_wait_are_taken_up() -> None:
    flow, p, total = sums()
    runner, fake = with_clock()
    later = pendulum.from_timestamp(fake.time + 100)

    state = flow.run(runner_cls=runner, task_states={p: Scheduled(start_time=later), total: Retrying(start_time=later)})

    assert state.result[total].result == 4
    assert [round(seconds) for seconds in fake.slept] == [100]


def test_a_task_in_two_flows_runs_in_each_with_its_own_neighbours() -> None:
    a = Task("a")
    one, two = Flow("one", tasks=[a]), Flow("two", edges=[Edge(a, Task("b"))])

    assert set(one.run().result) == {a}
    assert len(two.run().result) == 2
