"""The figures this project holds itself to: a list of rows, a run of each, and the table they make.

rows.toml   data, command and the figures to reach
rows        that list as values
run         one row in a process of its own
results     what was found, kept row by row
table       the table for people
"""
