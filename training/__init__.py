"""From a dataset to a model bundle, and how good the bundle is: `python -m training fit | evaluate | language`."""
