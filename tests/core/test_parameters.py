"""Parameters."""

from __future__ import annotations

import datetime
from typing import Any

import pendulum
import pytest

from dagflow import Flow, Parameter, Task, context
from dagflow.core.parameter import DateTimeParameter
from dagflow.engine import FlowRunner
from dagflow.engine.results.prefect import PrefectResult
from dagflow.engine.signals import FAIL


@pytest.mark.parametrize(
    "options, required, default",
    [
        ({}, True, None),
        ({"default": None}, False, None),
        ({"default": 0}, False, 0),
        ({"default": 3, "required": True}, True, 3),
        ({"required": False}, False, None),
    ],
)
def test_a_parameter_without_a_default_is_required(options: dict[str, Any], required: bool, default: Any) -> None:
    p = Parameter("p", **options)

    assert (p.required, p.default) == (required, default)


def test_what_a_parameter_is() -> None:
    p = Parameter("p", tags=["t"])

    assert (p.name, p.slug, p.tags, p.checkpoint, repr(p)) == ("p", "p", {"t"}, True, "<Parameter: p>")
    assert isinstance(p.result, PrefectResult)


@pytest.mark.parametrize("attribute", ["name", "slug"])
def test_its_name_is_for_good(attribute: str) -> None:
    p = Parameter("p")

    with pytest.raises(AttributeError, match="cannot be changed"):
        setattr(p, attribute, "q")

    assert (p.name, p.slug) == ("p", "p")


def test_names_are_unique_in_a_flow() -> None:
    flow = Flow("f", tasks=[Parameter("p")])

    with pytest.raises(ValueError, match="'p'"):
        flow.add_task(Parameter("p"))
    with pytest.raises(ValueError, match="'p'"):
        flow.add_task(Task("other", slug="p"))


def test_calling_adds_the_parameter_itself() -> None:
    flow, p = Flow("f"), Parameter("p")

    assert p(flow=flow) is p
    with flow:
        assert p() is p

    assert flow.tasks == {p}


def test_a_call_takes_nothing_else() -> None:
    with pytest.raises(TypeError, match="mapped"):
        Parameter("p")(flow=Flow("f"), mapped=True)  # type: ignore[call-arg]


@pytest.mark.parametrize("value", [0, "", False, None, []])
def test_values_that_are_false_are_kept(value: Any) -> None:
    with Flow("f") as flow:
        p = Parameter("p", default=5)()

    assert flow.run(p=value).result[p].result == value


def test_required_with_a_default_insists_all_the_same() -> None:
    with Flow("f") as flow:
        Parameter("p", default=1, required=True)()

    with pytest.raises(ValueError, match="'p'"):
        flow.run()


def test_without_the_checks_of_a_run_a_missing_value_fails_the_task() -> None:
    with Flow("f") as flow:
        p = Parameter("p")()

    state = FlowRunner(flow).run(return_tasks=[p])

    assert state.is_failed()
    assert isinstance(state.result[p].result, FAIL)
    assert FlowRunner(flow).run(return_tasks=[p], parameters={"p": 2}).result[p].result == 2


def test_a_parameter_reads_the_context() -> None:
    with context(parameters={"p": 4}):
        assert Parameter("p").run() == 4


DATES: list[tuple[Any, Any]] = [
    ("2024-02-28T10:00:00+02:00", pendulum.datetime(2024, 2, 28, 8)),
    ("2024-02-28", pendulum.datetime(2024, 2, 28)),
    (datetime.datetime(2024, 2, 28, 1), pendulum.datetime(2024, 2, 28, 1)),
    (pendulum.datetime(2024, 2, 28), pendulum.datetime(2024, 2, 28)),
    (None, None),
]


@pytest.mark.parametrize("given, expected", DATES)
def test_dates_become_pendulum_dates(given: Any, expected: Any) -> None:
    with Flow("f") as flow:
        when = DateTimeParameter("when")()

    found = flow.run(when=given).result[when].result

    assert found == expected
    assert found is None or isinstance(found, pendulum.DateTime)


@pytest.mark.parametrize("given", [5, ["2024-01-01"], "no date", "P1D"])
def test_anything_else_is_no_date_and_fails_the_task(given: Any) -> None:
    with Flow("f") as flow:
        when = DateTimeParameter("when")()

    assert flow.run(when=given).result[when].is_failed()


def test_a_date_that_is_not_required_is_none() -> None:
    with Flow("f") as flow:
        when = DateTimeParameter("when", required=False, tags=["t"])()

    assert (when.default, when.tags) == (None, {"t"})
    assert flow.run().result[when].result is None
    assert DateTimeParameter("when").required
