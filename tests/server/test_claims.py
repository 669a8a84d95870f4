"""How agents get runs: which, in which order, each once."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from tests.server.calls import Api, Refused, clock, flow_document, nobody, schedule, state


def ids(claimed: list[Any]) -> list[str]:
    return [one["flow_run"]["id"] for one in claimed]


def queue(api: Api, **params: Any) -> list[str]:
    found: list[str] = api.get("/runs_in_queue", **params)["items"]
    return found


# --- what is due -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Scheduled", "Resume", "Retrying", "Paused", "Queued"])
def test_runs_in_a_state_that_waits_are_due_when_their_time_has_come(api: Api, kind: str) -> None:
    flow = api.register()["id"]
    due, later, never = (api.new_run(flow) for _ in range(3))
    for run, moment in ((due, api.at()), (later, api.at(1)), (never, None)):
        api.set_flow(run, state(kind, start_time=moment))
    agent = api.agent()

    assert queue(api) == [due]
    assert ids(api.claim(agent)) == [due]
    api.later(1)
    assert ids(api.claim(agent)) == [later]


@pytest.mark.parametrize("kind", ["Running", "Submitted", "Cancelling", "Success", "Failed", "Cancelled", "Pending"])
def test_runs_in_other_states_are_not_due(api: Api, kind: str) -> None:
    run = api.new_run()
    api.set_flow(run, state(kind, start_time=api.at()))

    assert queue(api) == [] and api.claim(api.agent()) == []


def test_a_running_run_is_due_when_one_of_its_tasks_is_and_nobody_holds_it(api: Api) -> None:
    run = api.running()
    api.set_task(run, "extract", state("Retrying", start_time=api.at(900), run_count=2))
    token = api.run(run)["run_token"]
    api.post(f"/flow_runs/{run}/release", {"token": token})
    agent = api.agent()
    assert api.claim(agent) == []
    api.later(900)

    [taken] = api.claim(agent)

    assert (taken["continues"], taken["run_token"], taken["flow_run"]["state"]) == (True, token + 1, "Running")
    task = api.task_run(run, "extract")
    assert (task["state"], task["serialized_state"]["state"]["type"]) == ("Submitted", "Retrying")
    assert task["serialized_state"]["state"]["run_count"] == 2
    assert api.claim(agent) == []


def test_a_running_run_that_somebody_holds_is_not_handed_out(api: Api) -> None:
    run = api.running()
    api.set_task(run, "extract", state("Retrying", start_time=api.at()))

    assert (queue(api), api.claim(api.agent())) == ([], [])


def test_the_oldest_start_goes_first_whatever_was_created_first(api: Api) -> None:
    flow = api.register()["id"]
    runs = [api.new_run(flow, scheduled_start_time=api.at(-seconds)) for seconds in (10, 30, 20)]

    expected = [runs[1], runs[2], runs[0]]
    assert queue(api) == expected
    agent = api.agent()
    assert [ids(api.claim(agent, limit=1))[0] for _ in range(3)] == expected


def test_the_queue_shows_twenty_five_runs_unless_asked_for_more(api: Api) -> None:
    flow = api.register()["id"]
    for _ in range(26):
        api.new_run(flow)

    assert [len(queue(api)), len(queue(api, limit=200)), len(queue(api, limit=2))] == [25, 26, 2]


def test_reading_the_queue_takes_nothing(api: Api) -> None:
    run = api.new_run(scheduled_start_time=api.at(60))

    assert (queue(api), queue(api, before=api.at(60)), queue(api, before=api.at(60))) == ([], [run], [run])
    assert api.run(run)["state"] == "Scheduled"


# --- labels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("of_run", "of_agent", "taken"),
    [
        ([], [], True), ([], ["a"], False), (["a"], [], False), (["a"], ["a"], True), (["a"], ["b", "a"], True),
        (["a", "b"], ["a"], False), (["a", "b"], ["b", "a", "c"], True), (["A"], ["a"], False),
        (["a"], list("abcdefghij"), True), (["a", "z"], list("abcdefghij"), False), ([], list("abcdefghij"), False),
        (["quo\"te", "ü", "per%"], ["per%", "ü", "quo\"te"], True),
    ],
)  # fmt: skip
def test_an_agent_takes_a_run_whose_labels_it_all_has(
    api: Api, of_run: list[str], of_agent: list[str], taken: bool
) -> None:
    run = api.new_run(labels=of_run)

    assert (queue(api, labels=of_agent) == [run]) is taken or not of_agent
    assert (ids(api.claim(api.agent(*of_agent), *of_agent)) == [run]) is taken


@pytest.mark.parametrize("mine", [["mine"], [*"abcdefghijkl", "mine"]])
def test_many_runs_for_others_do_not_starve_an_agent(api: Api, mine: list[str]) -> None:
    flow = api.register(flow_document(schedule=schedule(clock(60))))["id"]
    group = api.get(f"/flows/{flow}")["flow_group_id"]
    api.later(100 * 60)
    for number in range(6):
        values = {"flow_group_id": group, "name": f"d{number}", "schedule": schedule(clock(60)), "labels": ["other"]}
        api.post("/deployments", values)
    api.later(100 * 60)
    run = api.new_run(flow, labels=["mine"])

    assert queue(api, labels=mine, limit=1) == [run]
    assert ids(api.claim(api.agent(*mine), *mine)) == [run]


# --- what is handed out ----------------------------------------------------------------------------------------


def test_a_claimed_run_is_submitted_and_wraps_the_state_before(api: Api) -> None:
    run = api.new_run()
    api.set_flow(run, state("Retrying", "Again.", start_time=api.at(), run_count=4))
    agent = api.agent()

    [taken] = api.claim(agent)

    found = api.run(run)
    assert (found["state"], found["agent_id"], found["run_token"], found["held"]) == ("Submitted", agent, 1, True)
    wrapped = found["serialized_state"]["state"]
    assert (wrapped["type"], wrapped["run_count"]) == ("Retrying", 4)
    assert found["heartbeat"] == api.at()
    assert (taken["run_token"], taken["continues"], taken["heartbeat_enabled"]) == (1, False, True)
    assert set(taken["flow"]) >= {"id", "name", "version", "storage", "run_config", "core_version", "flow_group_id"}


def test_a_queued_state_is_not_wrapped_again(api: Api) -> None:
    run = api.new_run()
    api.set_flow(run, state("Queued", start_time=api.at(), state=state("Scheduled", "Planned.", start_time=api.at())))

    api.claim(api.agent())

    assert api.run(run)["serialized_state"]["state"]["type"] == "Scheduled"


@pytest.mark.parametrize(
    ("asked", "group", "expected"), [(True, True, "run"), (False, True, "group"), (False, False, "flow")]
)
def test_the_run_config_is_the_first_that_somebody_has_set(api: Api, asked: bool, group: bool, expected: str) -> None:
    def config(name: str) -> dict[str, Any]:
        return {"type": "LocalRun", "env": {"FROM": name}}

    flow = api.register(flow_document(run_config=config("flow")))
    if group:
        api.post(f"/flow_groups/{flow['flow_group_id']}/run_config", {"run_config": config("group")})
    api.new_run(flow["id"], run_config=config("run") if asked else None)

    [taken] = api.claim(api.agent())

    assert taken["run_config"] == config(expected)


def test_an_agent_takes_no_more_than_it_asks_for(api: Api) -> None:
    flow = api.register()["id"]
    for _ in range(5):
        api.new_run(flow)

    assert [len(api.claim(api.agent(), limit=2)) for _ in range(3)] == [2, 2, 1]


def test_an_agent_may_serve_some_flows_alone(api: Api) -> None:
    one, other = api.register(flow_document("one"))["id"], api.register(flow_document("other"))["id"]
    api.new_run(one)
    wanted = api.new_run(other)

    assert ids(api.claim(api.agent(), flow_ids=[other])) == [wanted]


def test_a_claim_waits_for_work_and_hears_of_it_at_once(api: Api) -> None:
    flow, agent = api.register()["id"], api.agent()
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.extend(ids(api.claim(agent, wait_seconds=20))))
    thread.start()
    while not api.server.backend.broker._waiting:
        pass

    run = api.new_run(flow)
    thread.join(5)

    assert found == [run]


def test_who_is_not_known_gets_nothing(api: Api) -> None:
    with pytest.raises(Refused, match="404"):
        api.claim(nobody())


def test_four_agents_share_a_thousand_runs_and_none_is_given_twice(api: Api) -> None:
    flow = api.register()["id"]
    create_many(api, flow, 1000)
    agents = [api.agent(name=f"agent {number}") for number in range(4)]
    taken: list[list[str]] = [[] for _ in agents]

    def work(number: int) -> None:
        while True:
            found = ids(api.claim(agents[number], limit=20))
            if not found:
                return
            taken[number] += found

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    everything = [one for some in taken for one in some]
    assert (len(everything), len(set(everything))) == (1000, 1000)


def create_many(api: Api, flow_id: str, number: int) -> None:
    """Create runs without a request for each."""
    from dagflow.server.store.creation import WantedRun, create_flow_run

    def do(tx: Any) -> None:
        for _ in range(number):
            create_flow_run(tx, WantedRun(flow_id=flow_id))

    api.server.backend.database.write(do)


def test_a_second_submission_of_the_same_run_is_refused(api: Api) -> None:
    run = api.new_run()
    version = api.run(run)["version"]

    answers = [api.set_flow(run, "Submitted", version=version) for _ in range(2)]

    assert answers[1]["status"] == "ERROR" and "State update failed" in answers[1]["message"]


# --- agents ----------------------------------------------------------------------------------------------------


def test_an_agent_keeps_its_id_and_is_described_anew(api: Api) -> None:
    id = nobody()
    api.agent("b", "a", "a", id=id, name="one")

    again = api.agent("c", id=id, name="two")

    found = api.get(f"/agents/{id}")
    assert (again, found["labels"], found["name"]) == (id, ["c"], "two")
    assert len(api.items("/agents")) == 1


def test_two_agents_of_one_name_are_two(api: Api) -> None:
    assert api.agent(name="same") != api.agent(name="same")


def test_an_agent_is_healthy_for_a_minute_after_it_asked(api: Api) -> None:
    agent = api.agent()
    api.later(60)
    healthy = api.get(f"/agents/{agent}")["healthy"]
    api.later(1)
    gone = api.get(f"/agents/{agent}")["healthy"]

    api.claim(agent)

    assert (healthy, gone, api.get(f"/agents/{agent}")["healthy"]) == (True, False, True)


def test_agents_heard_of_lately_are_listed(api: Api) -> None:
    api.agent(name="old")
    api.later(600)
    new = api.agent(name="new")

    assert [one["id"] for one in api.items("/agents", healthy_since_minutes=5)] == [new]
    assert len(api.items("/agents")) == 2


def test_an_agents_sign_of_life_tells_it_what_to_stop(api: Api) -> None:
    flow, agent = api.register()["id"], api.agent()
    runs = [api.new_run(flow) for _ in range(3)]
    api.claim(agent)
    for run in runs:
        api.set_flow(run, "Running")
    api.post(f"/flow_runs/{runs[0]}/cancel")
    api.finish(runs[1])

    answer = api.post(f"/agents/{agent}/heartbeat", {"flow_run_ids": runs})

    assert (answer["cancel"], answer["finished"]) == ([runs[0]], [runs[1]])


# --- pools -----------------------------------------------------------------------------------------------------


def pooled(api: Api, pool: str = "big", queue: str | None = None, name: str = "prod", **pool_values: Any) -> str:
    """Return a deployment in a pool."""
    api.post("/work_pools", {"name": pool, **pool_values})
    group = api.register()["flow_group_id"]
    values = {"flow_group_id": group, "name": name, "pool": pool, "queue": queue}
    return str(api.post("/deployments", values)["id"])


def deployed_run(api: Api, deployment: str, **values: Any) -> str:
    return str(api.post(f"/deployments/{deployment}/create_run", values)["id"])


def test_only_agents_of_a_pool_see_its_runs_and_they_see_nothing_else(api: Api) -> None:
    deployment = pooled(api)
    inside = deployed_run(api, deployment)
    outside = api.new_run(api.run(inside)["flow_id"])
    worker, agent = api.agent(pool="big"), api.agent("pool:big")

    assert api.run(inside)["labels"] == ["pool:big"]
    assert ids(api.claim(api.agent())) == [outside]
    assert ids(api.claim(agent, "pool:big")) == []
    assert ids(api.claim(worker, pool="big")) == [inside]


def test_a_full_or_paused_pool_hands_out_nothing(api: Api) -> None:
    deployment = pooled(api, limit=1)
    first, second = deployed_run(api, deployment), deployed_run(api, deployment)
    worker = api.agent(pool="big")

    taken = ids(api.claim(worker, pool="big"))
    full = api.claim(worker, pool="big")
    api.patch("/work_pools/big", {"limit": None, "paused": True})
    paused = api.claim(worker, pool="big")
    why = api.get(f"/flow_runs/{second}/why")["reasons"]
    api.patch("/work_pools/big", {"paused": False})

    assert (taken, full, paused) == ([first], [], [])
    assert "paused" in why[0]
    assert ids(api.claim(worker, pool="big")) == [second]


def test_queues_go_by_priority_then_time(api: Api) -> None:
    slow = pooled(api, name="slow", queue="slow")
    fast = pooled(api, name="fast", queue="fast")
    for name, priority in (("slow", 2), ("fast", 1)):
        api.post("/work_pools/big/queues", {"name": name, "priority": priority})
    runs = [deployed_run(api, one, scheduled_start_time=api.at(-seconds)) for one, seconds in
            ((slow, 30), (fast, 10), (fast, 20))]  # fmt: skip
    worker = api.agent(pool="big")

    assert ids(api.claim(worker, pool="big", queues=["slow"], limit=1)) == [runs[0]]
    assert ids(api.claim(worker, pool="big")) == [runs[2], runs[1]]


def test_the_limit_of_a_queue_counts(api: Api) -> None:
    deployment = pooled(api, queue="one")
    api.post("/work_pools/big/queues", {"name": "one", "limit": 1})
    runs = [deployed_run(api, deployment) for _ in range(2)]

    assert ids(api.claim(api.agent(pool="big"), pool="big")) == runs[:1]


def test_a_pool_fills_in_what_a_run_config_leaves_open(api: Api) -> None:
    base = {"type": "DockerRun", "image": "base", "env": {"A": "pool", "B": "pool"}}
    deployment = pooled(api, base_run_config=base)
    deployed_run(api, deployment, run_config={"type": "DockerRun", "image": None, "env": {"B": "run"}})

    [taken] = api.claim(api.agent(pool="big"), pool="big")

    assert taken["run_config"] == {"type": "DockerRun", "image": "base", "env": {"A": "pool", "B": "run"}}


def test_a_pool_that_is_used_is_not_deleted(api: Api) -> None:
    deployment = pooled(api)

    with pytest.raises(Refused, match=r"409 CONFLICT: .* deployment 'prod'"):
        api.delete("/work_pools/big")
    api.delete(f"/deployments/{deployment}")
    api.delete("/work_pools/big")

    assert api.items("/work_pools") == []


def test_a_pool_shows_its_queues_agents_and_use(api: Api) -> None:
    deployed_run(api, pooled(api))
    worker = api.agent(pool="big", name="w")
    api.claim(worker, pool="big")

    found = api.get("/work_pools/big")

    assert ([one["name"] for one in found["queues"]], found["in_use"]) == (["default"], 1)
    assert [one["name"] for one in found["agents"]] == ["w"]


@pytest.mark.parametrize("name", ["", "a/b", "a:b", " "])
def test_a_pool_needs_a_plain_name(api: Api, name: str) -> None:
    with pytest.raises(Refused, match="422"):
        api.post("/work_pools", {"name": name})


# --- why -------------------------------------------------------------------------------------------------------


def test_why_nobody_takes_a_run_is_told(api: Api) -> None:
    flow = api.register()["id"]
    run = api.new_run(flow, labels=["gpu"])
    path = f"/flow_runs/{run}/why"

    alone = api.get(path)["reasons"][0]
    api.agent("cpu", name="small")
    other = api.get(path)["reasons"][0]
    api.agent("gpu")
    api.post("/limits", {"kind": "flow_label", "name": "gpu", "limit": 0})
    limited = api.get(path)["reasons"][0]
    planned = api.get(f"/flow_runs/{api.new_run(flow, scheduled_start_time=api.at(60))}/why")["reasons"][0]

    assert "dagflow agent local start -l gpu" in alone
    assert "'small'" in other and "lacks 'gpu'" in other
    assert "limit of 0 on the label 'gpu'" in limited
    assert "planned for" in planned
