"""
Branches: ``case`` for blocks, ``switch`` for a table, ``merge`` to come together again.

The branch that is not taken is Skipped, and so is what depends on it, unless it says otherwise, as ``merge`` does.

Expected output:

    rain: take an umbrella
    sun: take a hat
    the other branch: Skipped
    switch: tea
"""

from __future__ import annotations

from dagflow import Flow, Parameter, case, task
from dagflow.tasks.control_flow import merge, switch


@task
def take(what: str) -> str:
    """Say what to take along."""
    return f"take {what}"


@task
def pour(what: str) -> str:
    """Pour a drink."""
    return what


with Flow("branching") as flow:
    weather = Parameter("weather", default="rain")
    with case(weather, "rain"):
        wet = take("an umbrella")
    with case(weather, "sun"):
        dry = take("a hat")
    advice = merge(wet, dry)

with Flow("switch") as drinks:
    hour = Parameter("hour", default="afternoon")
    coffee, tea = pour("coffee"), pour("tea")
    switch(hour, {"morning": coffee, "afternoon": tea})
    drink = merge(coffee, tea)


if __name__ == "__main__":
    for value in ("rain", "sun"):
        state = flow.run(weather=value)
        print(f"{value}: {state.result[advice].result}")
    print("the other branch:", type(state.result[wet]).__name__)
    print("switch:", drinks.run().result[drink].result)
