"""A map on Dask in genuine Prefect 0.15; run by an interpreter that has it, prints seconds per child as JSON."""

import json
import logging
import os
import time

os.environ["PREFECT__LOGGING__LEVEL"] = "CRITICAL"  # For the workers too, which inherit it.

COUNT = 1000


def main():
    import prefect
    from distributed import LocalCluster
    from prefect import Flow, task
    from prefect.executors import DaskExecutor

    same = task(lambda x: x, name="same")
    with Flow("mapped") as flow:
        same.map(list(range(COUNT)))
    with LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=":0", silence_logs=logging.CRITICAL
    ) as cluster:
        times = []
        for _ in range(3):
            begin = time.perf_counter()
            state = flow.run(executor=DaskExecutor(address=cluster.scheduler_address))
            times.append(time.perf_counter() - begin)
            assert state.is_successful(), state
    # The first run also warms the workers up.
    print(json.dumps({"version": prefect.__version__, "child": sum(times[1:]) / 2 / COUNT}))


if __name__ == "__main__":
    main()
