"""
A resource that is opened for some tasks and closed after them, whatever happens.

Expected output:

    open orders.db
    insert
    close orders.db
    Failed
"""

from __future__ import annotations

from dagflow import Flow, resource_manager, task


@resource_manager
class Connection:
    """Stands for a connection to a database."""

    def __init__(self, path: str) -> None:
        self.path = path

    def setup(self) -> str:
        """Open it and return what the tasks get."""
        print("open", self.path)
        return self.path

    def cleanup(self, connection: str) -> None:
        """Close it."""
        print("close", connection)


@task
def insert(connection: str) -> None:
    """Use it, and fail."""
    print("insert")
    raise OSError("disk full")


with Flow("resources") as flow, Connection("orders.db") as connection:
    insert(connection)


if __name__ == "__main__":
    print(type(flow.run()).__name__)
