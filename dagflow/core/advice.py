"""
What to write instead of words that a graph known before the run cannot have.

One table for the places that meet such a word: attributes of tasks and flows, options, names imported from the root,
mistakes while a function is traced, and ``dagflow migrate check``.
"""

from __future__ import annotations

__all__ = ["ATTRIBUTES", "FLOW_ATTRIBUTES", "FLOW_OPTIONS", "LATER", "ROOT_NAMES", "TASK_OPTIONS"]

LATER = "The value is not known before the run; pass it to a task."

ATTRIBUTES = {
    "result": LATER,
    "wait": "Order is said when the graph is built: give wait_for=[...] or upstream_tasks=[...] to the later task.",
    "get_state": "A task has no state before the run; look it up in `state.result[task]` afterwards.",
    "state": "A task has no state before the run; look it up in `state.result[task]` afterwards.",
    "is_completed": "A task has no state before the run; a trigger decides by the states upstream.",
    "is_failed": "A task has no state before the run; a trigger decides by the states upstream.",
    "delay": "Tasks do not run in the background by themselves: call the task in a flow, and run or register the flow.",
    "apply_async": "Tasks do not run in the background by themselves: call the task in a flow, and run the flow.",
    "serve": "A task is not served by itself: call it in a flow, and run or register the flow.",
    "with_options": "Write task.copy(...) with other attributes, or call the task with task_args={...}.",
    "on_commit": "There are no transactions: a `target` keeps a result once, a resource manager cleans up.",
    "on_rollback": "There are no transactions: a `target` keeps a result once, a resource manager cleans up.",
}
"""Attributes that people look for on a task."""

FLOW_ATTRIBUTES = {
    "submit": "A flow is run by calling it; inside another flow a call copies its tasks there.",
    "map": "Flows are not mapped: map a task, or use apply_map with a function that builds the graph of one item.",
    "with_options": "Write flow.copy() and set its attributes, such as name or executor.",
    "from_source": "Give the flow a storage such as Git or GitHub, and register it.",
    "to_deployment": "Register the flow; its schedule, run config and labels are its own settings.",
}
"""Attributes that people look for on a flow."""

TASK_OPTIONS = {
    "persist_result": "Give result=LocalResult() and turn checkpointing on, or checkpoint=False to write nothing.",
    "result_storage": "Give result=LocalResult(), S3Result(...) or another place.",
    "result_storage_key": "Give target='...' with a result.",
    "result_serializer": "Give it to the result: result=LocalResult(serializer=...).",
    "cache_result_in_memory": "Values stay in memory while somebody needs them.",
    "viz_return_value": "Nothing is run to draw a flow, so there is nothing to give.",
    "asset_deps": "There are no assets; order is said with upstream_tasks=[...].",
    "on_commit": ATTRIBUTES["on_commit"],
    "on_rollback": ATTRIBUTES["on_rollback"],
    "return_state": "A call in a flow returns the task; its state is in `state.result[task]` after the run.",
}
"""Options that people give to a task, or to a call of one."""

FLOW_OPTIONS = {
    "task_runner": "Give executor=LocalDaskExecutor(scheduler='threads') or DaskExecutor().",
    "persist_result": "Give result=LocalResult() and turn checkpointing on.",
    "result_storage": "Give result=LocalResult(), S3Result(...) or another place.",
    "result_serializer": "Give it to the result: result=LocalResult(serializer=...).",
    "cache_result_in_memory": "Values stay in memory while somebody needs them.",
    "work_pool_name": "Pools of push or managed kind do not exist; register the flow and start an agent.",
}
"""Options that people give to a flow."""

ROOT_NAMES = {
    "transaction": ATTRIBUTES["on_commit"],
    "transactions": ATTRIBUTES["on_commit"],
    "allow_failure": "Let the later task decide: @task(trigger=dagflow.triggers.all_finished).",
    "quote": "Values are not searched for tasks once they are an object of your own; wrap them in one.",
    "pause_flow_run": "Use dagflow.utilities.tasks.pause_task() in a task.",
    "suspend_flow_run": "Use dagflow.utilities.tasks.pause_task() in a task.",
    "resume_flow_run": "Use the Resume state: it is set through the client.",
    "task_runners": "Tasks run on executors: see dagflow.executors.",
    "futures": LATER,
    "states": "States are in dagflow.engine.state.",
    "blocks": "Secrets are dagflow.client.Secret, settings are parameters or dagflow.config.",
    "get_client": "Write dagflow.Client().",
}
"""Names that people import from the root."""
