"""The engine that fits on Spark: what reads, cleans and counts every interaction runs there, piece by piece.

settings.py   SparkConfig: the table [spark] of a settings file
session.py    the session, and what is said where Spark is not there
source.py     interactions from any path Spark can read
cleaning.py   rows to cleaned histories, with the report of the local engine
histories.py  a row a user: the form everything is fitted on, its cuts in time, and its way to the driver
sums.py       sums over users: of vectors of items, and of matrices of items by items
neighbours.py item-kNN, transitions, RP3beta and EASE from such sums
factors.py    iALS by the solver of the local engine, block by block
counts.py     popularity, trending and what the ranker asks of an item's events
engine.py     the way in

What the driver holds is bounded by items, by neighbours or by a sample of users, never by interactions.
Nothing of pyspark is imported before the engine is asked for.
"""
