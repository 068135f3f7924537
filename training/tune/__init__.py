"""Looks for better settings, on validation alone.

space     what may be varied, and between which bounds
trial     what a set of settings is worth: models fitted and measured inside the learning part
search    Optuna's search, its trials kept in a file; the one place that imports it
command   python -m training tune
"""
