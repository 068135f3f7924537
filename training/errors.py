"""What can be wrong with what a person gave: the data or the settings. Commands print it and exit with 2."""


class DatasetError(Exception):
    """A dataset that cannot be used; the message names the place and the remedy."""


class SettingsError(Exception):
    """A setting that cannot be used; the message names the file, the key and the remedy."""
