"""The space of settings: every name exists, values go into a configuration and back through a settings file."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.errors import SettingsError
from training.fit import FitConfig
from training.settings import read_settings
from training.toml import dumps
from training.tune.space import SPACE, Options, as_settings, chosen, usual, varied


def test_the_usual_settings_lie_inside_the_space() -> None:
    assert varied(FitConfig(), usual(FitConfig(), SPACE)) == FitConfig()


def test_a_setting_outside_is_brought_to_the_bound() -> None:
    far = varied(FitConfig(), {"ease.regularization": 1e6, "ials.dimension": 100})
    found = usual(far, SPACE)
    assert found["ease.regularization"] == 3000
    assert found["ials.dimension"] == 128


def test_what_is_found_reads_as_settings(tmp_path: Path) -> None:
    values = {name: choice.values[-1] if isinstance(choice, Options) else choice.high for name, choice in SPACE.items()}
    file = tmp_path / "tuned.toml"
    file.write_text(dumps(as_settings(values)))
    assert read_settings(file).fit == varied(FitConfig(), values)


def test_a_part_of_the_space_is_chosen_by_name() -> None:
    assert set(chosen(["ease", "ials.dim"])) == {"ease.regularization", "ials.dimension"}
    with pytest.raises(SettingsError, match="nothing to tune is called als; there are ials"):
        chosen(["als"])
