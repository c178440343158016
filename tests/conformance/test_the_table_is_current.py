from tests.conformance.table import TABLE, render


def test_the_table_is_current() -> None:
    """The table says what the tests say: `python -m tests.conformance.table` writes it."""
    assert TABLE.read_text() == render()
