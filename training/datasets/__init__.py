"""Datasets: a directory of tables in one of several layouts, read into events and items.

reader.py   read_dataset(), the way in
layouts.py  the layouts that are recognised, each a description of tables
spec.py     what can be said of a table, in code and in dataset.toml
tables.py   rows of any format into events and items
values.py   single fields: ids, numbers, times, lists
titles.py   titles of films as MovieLens writes them
files.py    compression and formats: CSV, JSON lines, Parquet
rejects.py  rows that cannot be used
model.py    what comes out
"""
