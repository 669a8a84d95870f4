"""The REST surface: one router for each noun."""
