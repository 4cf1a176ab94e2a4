"""The models and the migrations agree, and the history is one line of dated files."""

from __future__ import annotations

import asyncio

from alembic.config import Config
from alembic.script import ScriptDirectory

from controlplane.state import migrate


def test_models_and_migrations_agree(postgres: str) -> None:
    """Mend it with `make migration NAME='what changed'`."""
    migrate.check(postgres)


def test_the_history_is_one_line_of_dated_files() -> None:
    config = Config()
    config.set_main_option("script_location", str(migrate.FOLDER))
    revisions = list(ScriptDirectory.from_config(config).walk_revisions())
    names = [revision.revision for revision in revisions]
    assert names == sorted(names, reverse=True)
    assert names[0] == migrate.head()
    assert all(len(name) == 14 and name.isdigit() for name in names)
    assert sum(revision.is_branch_point for revision in revisions) == 0


def test_a_migrated_database_needs_no_alembic(postgres: str) -> None:
    assert asyncio.run(migrate.current(postgres)) == migrate.head()
    asyncio.run(migrate.upgrade(postgres))
