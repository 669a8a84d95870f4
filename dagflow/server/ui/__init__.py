"""The web UI: pages that hold no data, style sheets and modules that fetch it from the public API."""
