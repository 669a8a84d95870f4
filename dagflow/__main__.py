"""``python -m dagflow``: the command line."""

from __future__ import annotations

from dagflow.cli import main

if __name__ == "__main__":
    main()
