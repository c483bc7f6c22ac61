"""`docs/library.md` says what the tables hold."""

from pathlib import Path

from zerfoo_jax.experiment.tables import TABLES, library_page

PAGE = Path(__file__).parents[2] / "docs" / "library.md"


def test_the_page_is_what_the_tables_give():
    assert PAGE.read_text() == library_page(), "run: zerfoo layers --markdown > docs/library.md"


def test_every_member_of_every_table_has_a_line():
    page = PAGE.read_text()
    for table, members in TABLES.items():
        section = page.split(f"## {table}\n")[1].split("\n## ")[0]
        for name in members:
            assert f"\n- `{name}(" in section, (table, name)
