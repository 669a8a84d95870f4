"""How Sphinx builds these pages: ``sphinx-build -W docs docs/_build/html`` from the project's folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))
# The pages describe the defaults, not the settings of whoever builds them.
for name in [name for name in os.environ if name.startswith("DAGFLOW__")]:
    del os.environ[name]
os.environ["DAGFLOW__USER_CONFIG_PATH"] = os.devnull

from dagflow._version import __version__

project = "dagflow"
author = "the dagflow developers"
release = version = __version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"dagflow {version}"
# The pages work without a network: no fonts, scripts or inventories from elsewhere.

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
autoclass_content = "class"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
nitpicky = False
