"""The list of `python -m tests.defences` is true: every entry is still in the code."""

import ast

import pytest

from tests.defences import Defence, all_defences
from tests.helpers import ROOT


@pytest.mark.parametrize("defence", all_defences(), ids=lambda defence: defence.name)
def test_a_defence_stands_where_the_list_says(defence: Defence) -> None:
    code = (ROOT / defence.file).read_text()
    assert code.count(defence.code) == 1
    ast.parse(code.replace(defence.code, defence.without))


def test_names_are_unique() -> None:
    names = [defence.name for defence in all_defences()]
    assert len(set(names)) == len(names)
