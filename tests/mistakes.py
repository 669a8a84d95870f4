"""What people do wrong, as scripts, with what they are told; for tests of the messages."""

from __future__ import annotations

from dagflow.exceptions import CycleError, ParameterError, UnknownSettingError

PRELUDE = """\
import dagflow, sys
from datetime import timedelta, datetime
from dagflow import *
from dagflow.core import Edge
from dagflow.tasks.control_flow import merge, switch, ifelse
@task
def one(): return 1
@task
def add(x, y=1): return x + y
flow = Flow("etl")
def told(state, key):
    raise state.result[key].result
"""

Row = tuple[str, str, type[BaseException], list[str]]

BUILDING: list[Row] = [
    (
        "iterating a task",
        "with flow:\n  for item in one(): pass  # here",
        TypeError,
        ["'one'", "cannot be iterated", ".map(", "nout="],
    ),
    ("unpacking a task", "with flow:\n  a, b = one()  # here", TypeError, ["'one'", "nout="]),
    (
        "asking a task for its truth",
        "with flow:\n  if one(): pass  # here",
        TypeError,
        ["'one'", "no truth value", "case("],
    ),
    ("comparing in an if", "with flow:\n  if one() > 1: pass  # here", TypeError, ["no truth value", "case("]),
    ("the length of a task", "with flow:\n  len(one())  # here", TypeError, ["'one'", "no length", "in a task"]),
    (
        "looking for an item in a task",
        "with flow:\n  5 in one()  # here",
        TypeError,
        ["'one'", "cannot be searched", "in a task"],
    ),
    (
        "calling a task outside a flow",
        "one()  # here",
        ValueError,
        ["'one'", "outside a flow", "with Flow(", "one.run(...)"],
    ),
    ("an operator outside a flow", "one + 1  # here", ValueError, ["outside a flow", "with Flow("]),
    ("an item outside a flow", "one['key']  # here", ValueError, ["'one'", "outside a flow"]),
    ("mapping outside a flow", "add.map([1])  # here", ValueError, ["'add'", "outside a flow"]),
    ("a parameter outside a flow", "Parameter('p')()  # here", ValueError, ["'p'", "outside a flow"]),
    (
        "apply_map outside a flow",
        "apply_map(lambda x: x, [1])  # here",
        ValueError,
        ["apply_map needs a flow", "with Flow("],
    ),
    ("a switch outside a flow", "switch(1, {1: one})  # here", ValueError, ["switch needs a flow"]),
    (
        "a wrong keyword",
        "with flow:\n  add(1, yy=2)  # here",
        TypeError,
        ["'add'", "'yy'", "(x, y=1)", "Did you mean 'y'?"],
    ),
    (
        "a missing argument",
        "with flow:\n  add()  # here",
        TypeError,
        ["'add'", "missing a required argument: 'x'", "(x, y=1)"],
    ),
    (
        "too many arguments",
        "with flow:\n  add(1, 2, 3)  # here",
        TypeError,
        ["'add'", "too many positional arguments"],
    ),
    (
        "an argument bound twice",
        "t = add.copy()\nflow.add_edge(one, t, key='x')\nflow.add_edge(2, t, key='x')  # here",
        ValueError,
        ["'x' of task 'add'", "bound already", "'etl'"],
    ),
    (
        "a key that is no name",
        "flow.add_edge(one, add, key='not a name')  # here",
        ValueError,
        ["'not a name'", "identifier"],
    ),
    (
        "a key that run does not take",
        "flow.add_edge(one, add, key='z', validate=True)  # here",
        TypeError,
        ["'add'", "'z'", "(x, y=1)"],
    ),
    ("a task that waits for itself", "flow.add_edge(one, one)  # here", ValueError, ["'one'", "wait for itself"]),
    (
        "a parameter that waits",
        "flow.add_edge(one, Parameter('p'))  # here",
        ValueError,
        ["'p'", "cannot have upstream tasks"],
    ),
    (
        "mapping over a number",
        "with flow:\n  add.map(5)  # here",
        TypeError,
        ["'add'", "cannot map over 5 of type int", "unmapped("],
    ),
    (
        "mapping over a set",
        "with flow:\n  add.map([1], y={2})  # here",
        TypeError,
        ["cannot map over {2} of type set", "unmapped("],
    ),
    (
        "mapping inside apply_map",
        "with flow:\n  apply_map(lambda x:\n    add.map(x),  # here\n    [[1]])",
        ValueError,
        ["'add'", "apply_map", "Call the task plainly"],
    ),
    (
        "apply_map over a number",
        "with flow:\n  apply_map(lambda x: add(x), 5)  # here",
        TypeError,
        ["cannot map over 5", "unmapped("],
    ),
    ("apply_map of a value", "with flow:\n  apply_map([1], add)  # here", TypeError, ["found [1]", "takes a function"]),
    (
        "one upstream task without a list",
        "with flow:\n  add(1, upstream_tasks=one)  # here",
        TypeError,
        ["<Task: one>", "upstream_tasks=[...]"],
    ),
    ("a class for a task", "flow.add_task(Task)  # here", TypeError, ["task instances", "Make an instance"]),
    ("a function for a task", "flow.add_task(len)  # here", TypeError, ["task instances", "len"]),
    (
        "a slug used twice",
        "flow.add_task(Task('a', slug='s'))\nflow.add_task(Task('b', slug='s'))  # here",
        ValueError,
        ["'etl'", "'s'", "unique"],
    ),
    (
        "two parameters of one name",
        "flow.add_task(Parameter('p'))\nflow.add_task(Parameter('p'))  # here",
        ValueError,
        ["'p'", "unique"],
    ),
    (
        "a parameter renamed",
        "Parameter('p').name = 'q'  # here",
        AttributeError,
        ["'p'", "cannot be changed", "Parameter('q')"],
    ),
    ("a flow without a name", "Flow('')  # here", ValueError, ["needs a name", "''", "Flow('my flow')"]),
    ("a flow named by a task", "Flow(one)  # here", TypeError, ["must be text", "Flow('my flow'"]),
    ("a flow of one task", "Flow('f', tasks=one)  # here", TypeError, ["tasks=[...]"]),
    ("edges as tuples", "Flow('f', edges=[(one, add)])  # here", TypeError, ["Edge(upstream_task, downstream_task)"]),
    (
        "a reference task outside the flow",
        "flow.set_reference_tasks([one])  # here",
        ValueError,
        ["<Task: one>", "'etl'", "Add it first"],
    ),
    ("a stranger's neighbours", "flow.upstream_tasks(one)  # here", ValueError, ["'one' is not in flow 'etl'"]),
    ("replacing a stranger", "flow.replace(one, add)  # here", ValueError, ["<Task: one>", "'etl'"]),
    (
        "merging flows with one parameter",
        "flow.add_task(Parameter('p'))\nflow.update(Flow('g', tasks=[Parameter('p')]))  # here",
        ValueError,
        ["'p'", "merge_parameters=True"],
    ),
    ("one handler without a list", "Flow('f', state_handlers=print)  # here", TypeError, ["state_handlers=[...]"]),
    (
        "a handler that is no function",
        "Task(state_handlers=['print'])  # here",
        TypeError,
        ["state_handlers", "'print'"],
    ),
    ("on_failure that is no function", "Task(on_failure='mail')  # here", TypeError, ["on_failure", "'mail'"]),
    (
        "retries without a delay",
        "@task(max_retries=3)  # here\ndef f(): pass",
        ValueError,
        ["'f'", "max_retries=3", "retry_delay=datetime.timedelta("],
    ),
    ("a delay without retries", "Task(retry_delay=timedelta(1))  # here", ValueError, ["no retries", "max_retries"]),
    (
        "a delay as a number",
        "Task(max_retries=1, retry_delay=5)  # here",
        TypeError,
        ["found 5", "timedelta(seconds=5)"],
    ),
    ("half a retry", "Task(max_retries=1.5, retry_delay=timedelta(1))  # here", ValueError, ["whole number", "1.5"]),
    ("a timeout as text", "Task(timeout='5s')  # here", TypeError, ["whole seconds or a timedelta", "'5s'"]),
    ("a negative timeout", "Task(timeout=-5)  # here", ValueError, ["-5", "0 for no limit"]),
    ("one tag without a list", "Task(tags='nightly')  # here", TypeError, ["'nightly'", "['nightly']"]),
    ("a tag that is a number", "Task(tags=[5])  # here", TypeError, ["found 5", "'5'"]),
    ("a wrong nout", "Task(nout='two')  # here", ValueError, ["nout", "'two'"]),
    (
        "a trigger by name",
        "Task(trigger='all_finished')  # here",
        TypeError,
        ["trigger", "'all_finished'", "dagflow.triggers"],
    ),
    ("cache_for as a number", "Task(cache_for=60)  # here", TypeError, ["cache_for", "timedelta(seconds=60)"]),
    (
        "a validator by name",
        "Task(cache_for=timedelta(1), cache_validator='all_inputs')  # here",
        TypeError,
        ["cache_validators"],
    ),
    (
        "a result class",
        "from dagflow.engine.results import LocalResult\nTask(result=LocalResult)  # here",
        TypeError,
        ["LocalResult(...)"],
    ),
    ("a result as a folder", "Task(result='out')  # here", TypeError, ["'out'", "LocalResult()"]),
    ("a target that is a number", "Task(target=5)  # here", TypeError, ["target", "template"]),
    (
        "an unknown option",
        "@task(max_retires=3)  # here\ndef f(): pass",
        TypeError,
        ["'f'", "'max_retires'", "Did you mean 'max_retries'?"],
    ),
    ("an unknown option of a class", "Task(nmae='x')  # here", TypeError, ["'nmae'", "Did you mean 'name'?"]),
    (
        "a name instead of a function",
        "@task('load')  # here\ndef f(): pass",
        TypeError,
        ["'load'", "@task(name='load')"],
    ),
    ("a task made of a task", "task(one)  # here", TypeError, ["a task already"]),
    (
        "a function with *args",
        "@task  # here\ndef f(*rows): pass",
        ValueError,
        ["*rows", "needs a name", "list argument"],
    ),
    ("a reserved argument", "@task  # here\ndef f(flow): pass", ValueError, ["'flow'", "Rename"]),
    ("a builtin without a signature", "task(max)  # here", ValueError, ["signature", "Wrap it"]),
    ("an argument by position only", "task(len)  # here", ValueError, ["position only", "Wrap it"]),
    (
        "task_args that do not exist",
        "with flow:\n  one(task_args={'tag': ['x']})  # here",
        AttributeError,
        ["'one'", "'tag'", "Did you mean 'tags'?"],
    ),
    (
        "a constructor that is not called",
        "class T(Task):\n  def __init__(self): pass\nwith flow:\n  T()()  # here",
        AttributeError,
        ["T has no", "super().__init__("],
    ),
    (
        "a case that compares with a task",
        "with flow:\n  case(1, one)  # here",
        TypeError,
        ["<Task: one>", "plain value", "case(that_task, True)"],
    ),
    ("branches as a list", "with flow:\n  switch(1, [one])  # here", TypeError, ["dict", "{value: task"]),
    (
        "a merge that skips",
        "with flow:\n  merge(one, skip_on_upstream_skip=True)  # here",
        ValueError,
        ["leave skip_on_upstream_skip out"],
    ),
    (
        "a resource manager without cleanup",
        "@resource_manager  # here\nclass Box: pass",
        TypeError,
        ["cleanup(self, resource)"],
    ),
    (
        "a resource outside a flow",
        "@resource_manager\nclass Box:\n  def cleanup(self, r): pass\nBox()  # here",
        ValueError,
        ["'Box'", "outside a flow"],
    ),
    (
        "tasks in a list without a flow",
        "from dagflow.utilities.tasks import as_task\nas_task([one])  # here",
        ValueError,
        ["holds tasks", "with Flow("],
    ),
    ("a schedule as text", "Flow('f', schedule='0 6 * * *')  # here", TypeError, ["CronSchedule('0 6 * * *')"]),
    ("a schedule as an interval", "Flow('f', schedule=timedelta(1))  # here", TypeError, ["IntervalSchedule("]),
    (
        "a clock for a schedule",
        "from dagflow.schedules.clocks import CronClock\nFlow('f', schedule=CronClock('0 6 * * *'))  # here",
        TypeError,
        ["Schedule(clocks=[...])"],
    ),
    ("an executor by name", "Flow('f', executor='threads')  # here", TypeError, ["'threads'", "LocalDaskExecutor("]),
    (
        "an executor by name when running",
        "flow.run(executor='threads')  # here",
        TypeError,
        ["'threads'", "LocalDaskExecutor("],
    ),
    (
        "a missing parameter",
        "flow.add_task(Parameter('day'))\nflow.run()  # here",
        ParameterError,
        ["'etl'", "'day'", "flow.run(day=...)"],
    ),
    (
        "an unknown parameter",
        "flow.add_task(Parameter('day', default=1))\nflow.run(parameters={'dya': 2})  # here",
        ParameterError,
        ["'dya'", "Did you mean 'day'?", "Parameters: day"],
    ),
    (
        "an unknown run option",
        "flow.run(exeuctor=None)  # here",
        TypeError,
        ["'exeuctor'", "Did you mean 'executor'?"],
    ),
    (
        "return_tasks of flow.run",
        "flow.run(return_tasks=[one])  # here",
        ValueError,
        ["FlowRunner(flow).run(return_tasks=...)"],
    ),
    ("parameters as a list", "flow.run(parameters=['day'])  # here", TypeError, ["as a dict", "['day']"]),
    ("task_args as a list", "with flow:\n  one(task_args=['name'])  # here", TypeError, ["'one'", "must be a dict"]),
    ("a flow by name", "one(flow='etl')  # here", TypeError, ["takes a Flow", "'etl'"]),
    ("a list that holds itself", "x = []\nx.append(x)\nadd(x, flow=flow)  # here", ValueError, ["holds itself"]),
    ("a tag that is a list", "with tags(['a']):  # here\n  pass", TypeError, ["['a']", "tags('a', 'b')"]),
    ("a parameter without a name", "Parameter('')  # here", ValueError, ["needs a name", "Parameter('day')"]),
    ("states as a list", "flow.run(task_states=[one])  # here", TypeError, ["task_states as a dict"]),
    ("values for states", "flow.run(task_states={one: 5})  # here", TypeError, ["Success(result=...)", "found 5"]),
    ("an attribute of a result", "one.uper()  # here", AttributeError, ["'uper'", "known only when it runs"]),
    ("keyword tasks as a list", "flow.set_dependencies(one, keyword_tasks=[add])  # here", TypeError, ["{'x': task}"]),
    ("a runner by name", "flow.run(runner_cls='FlowRunner')  # here", TypeError, ["'FlowRunner'", "class"]),
    ("an update with no flow", "flow.update(one)  # here", TypeError, ["'etl'", "<Task: one>"]),
    (
        "a schedule in the past",
        "from dagflow.schedules import Schedule\n"
        "from dagflow.schedules.clocks import DatesClock\n"
        "flow.schedule = Schedule(clocks=[DatesClock([datetime(2000, 1, 1)])])\n"
        "flow.run()  # here",
        ValueError,
        ["'etl'", "no date left", "run_on_schedule=False"],
    ),
    (
        "pickling an open flow",
        "import pickle\nwith flow:\n  pickle.dumps(flow)  # here",
        TypeError,
        ["'etl'", "after the block"],
    ),
]
"""Mistakes in building a flow; the line that ends in ``# here`` is the one to name."""

ELSEWHERE: list[Row] = [
    (
        "a cycle, when asked",
        "a, b, c = Task('a'), Task('b'), Task('c')\nflow.chain(a, b, c, a)\nflow.validate()",
        CycleError,
        ["'etl'", "a → b → c → a", "Remove one of these edges"],
    ),
    (
        "a cycle, when added",
        "a, b = Task('a'), Task('b')\nflow.chain(a, b)\nflow.add_edge(b, a, validate=True)",
        CycleError,
        ["a → b → a"],
    ),
    (
        "a cycle, when run",
        "a, b = Task('a'), Task('b')\nflow.chain(a, b, a)\nraise flow.run().result",
        CycleError,
        ["'etl'", "a → b → a"],
    ),
    (
        "mapping over a number, at run",
        "with flow:\n  m = add.map(one())\ntold(flow.run(), m)",
        TypeError,
        ["'one'", "int", "return a list"],
    ),
    (
        "mapping over a dict, at run",
        "@task\ndef d(): return {1: 2}\nwith flow:\n  m = add.map(d())\ntold(flow.run(), m)",
        TypeError,
        ["'d'", "dict", "list(d.items())"],
    ),
    (
        "calling a task inside a task",
        "@task\ndef outer(): return one()\nwith flow:\n  m = outer()\ntold(flow.run(), m)",
        ValueError,
        ["'one'", "one.run(...)", "(pipeline.py, line"],
    ),
    (
        "a template with an unknown word",
        "with flow:\n  m = one(task_args={'task_run_name': '{nowhere}'})\ntold(flow.run(), m)",
        KeyError,
        ["nowhere"],
    ),
    (
        "a closure that cannot be pickled",
        "import threading\n"
        "lock = threading.Lock()\n"
        "@task\n"
        "def f(): return lock\n"
        "with flow:\n"
        "  m = f()\n"
        "from dagflow.executors import LocalDaskExecutor\n"
        "told(flow.run(executor=LocalDaskExecutor(scheduler='processes', num_workers=1)), m)",
        Exception,
        ["'lock'", "lock"],
    ),
    (
        "saving a closure that cannot be pickled",
        "import threading\n"
        "lock = threading.Lock()\n"
        "@task\n"
        "def f(): return lock\n"
        "with flow:\n"
        "  f()\n"
        "flow.save(SOMEWHERE)",
        Exception,
        ["'lock'"],
    ),
    (
        "a cron line that is none",
        "from dagflow.schedules import CronSchedule\nCronSchedule('61 * * * *')",
        ValueError,
        ["61 * * * *"],
    ),
    (
        "a cron line that is too short",
        "from dagflow.schedules import CronSchedule\nCronSchedule('* *')",
        ValueError,
        ["'* *'", "fields"],
    ),
    (
        "an interval of nothing",
        "from dagflow.schedules import IntervalSchedule\nIntervalSchedule(interval=timedelta(0))",
        ValueError,
        ["longer than nothing"],
    ),
    (
        "an interval as a number",
        "from dagflow.schedules import IntervalSchedule\nIntervalSchedule(interval=60)",
        TypeError,
        ["timedelta", "60"],
    ),
    (
        "one clock without a list",
        "from dagflow.schedules import Schedule\n"
        "from dagflow.schedules.clocks import CronClock\n"
        "Schedule(clocks=CronClock('0 6 * * *'))",
        TypeError,
        ["Schedule(clocks=[clock])"],
    ),
    (
        "an unknown setting",
        "dagflow.config.flows.chekpointing",
        UnknownSettingError,
        ["'chekpointing'", "Did you mean 'checkpointing'?"],
    ),
    ("an unknown name of the package", "dagflow.Flwo", AttributeError, ["'Flwo'", "did you mean 'Flow'?"]),
    ("an import with a slip", "from dagflow import Flwo", ImportError, ["Flwo"]),
    ("a bucket without a name", "from dagflow.engine.results import S3Result\nS3Result()", TypeError, ["bucket"]),
    (
        "a Google bucket without a name",
        "from dagflow.engine.results import GCSResult\nGCSResult().exists('key')",
        ValueError,
        ["no bucket", "GCSResult(bucket="],
    ),
    (
        "an extra that is not installed",
        "from unittest import mock\n"
        "from dagflow.engine.results import S3Result\n"
        "from fsspec.registry import _registry\n"
        "with mock.patch.dict(_registry, clear=True), mock.patch.dict(sys.modules, s3fs=None):\n"
        "  S3Result('b').exists('key')",
        ImportError,
        ["s3", "pip install"],
    ),
    (
        "an unknown scheduler",
        "from dagflow.executors import LocalDaskExecutor\nLocalDaskExecutor(scheduler='treads')",
        ValueError,
        ["'treads'", "threads"],
    ),
    ("loading a flow that is not there", "Flow.load('nowhere')", Exception, ["nowhere"]),
    (
        "loading what is no flow",
        "from pathlib import Path\nPath(SOMEWHERE).write_text('text')\nFlow.load(SOMEWHERE)",
        Exception,
        ["flow"],
    ),
    ("a missing context key", "context.nothing_of_the_kind", AttributeError, ["nothing_of_the_kind"]),
    ("pickling the context", "import pickle\npickle.dumps(context)", TypeError, ["cannot be pickled"]),
    ("a secret that is not there", "from dagflow.client import Secret\nSecret('TOKEN').get()", ValueError, ["TOKEN"]),
    (
        "a signal with a wrong keyword",
        "from dagflow.engine.signals import RETRY\nRETRY(start='soon')",
        TypeError,
        ["start"],
    ),
    (
        "a foreign task asked for",
        "from dagflow.engine import FlowRunner\nraise FlowRunner(flow).run(return_tasks=[one]).result",
        ValueError,
        ["<Task: one>", "'etl'"],
    ),
    ("a missing attribute of a task", "one.nmae", AttributeError, ["'nmae'"]),
    ("a missing flow name", "Flow()", TypeError, ["name"]),
    ("a hashed flow", "{flow}", TypeError, ["unhashable"]),
]
"""Mistakes that show later, or beside the flow."""
