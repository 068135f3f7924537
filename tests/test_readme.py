"""What the README names exists; tests/system runs its programs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)]+)\)", README))))
def test_every_link_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()


def test_every_page_is_in_the_tree() -> None:
    [line] = re.findall(r"^docs/ +(.+)$", README, re.MULTILINE)
    assert {page.stem for page in (ROOT / "docs").glob("*.md")} <= set(re.findall(r"\w+", line))


def anchors(page: str) -> set[str]:
    """Of the headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: page.name)
def test_every_link_between_the_pages_leads_to_a_page_and_a_heading(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" not in link:
            name, _, heading = link.partition("#")
            target = page.parent / name if name else page
            assert target.exists(), link
            assert not heading or heading in anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("target", sorted(set(re.findall(r"(?:^|`)make ([a-z]+)", README, re.MULTILINE))))
def test_every_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_dependency_is_accounted_for() -> None:
    declared = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    names = re.findall(r'^\s+"([a-z-]+)>=', declared, re.MULTILINE)
    assert len(names) >= 8
    assert [name for name in names if f"`{name}`" not in README] == []
