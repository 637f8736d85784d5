"""Sick trainings whose cause is known, to measure the diagnosis like a medical test: `python -m casebook --help`."""
