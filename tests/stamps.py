"""A checkout whose template has a part more, `stamps`, with a table; and a migration after its."""

import shutil
import subprocess
from pathlib import Path

from authkit.project.migration_files import VERSIONS, follow, read

REPOSITORY = Path(__file__).parent.parent

MODELS = '''\
"""The stamps of a user."""

from uuid import UUID, uuid4

from sqlalchemy import ForeignKey, String, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from app.foundation.database import Base


class Stamp(Base):
    __tablename__ = "stamps"

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, default=uuid4)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(100))
'''

MIGRATION = '''\
"""Create stamps

Revision ID: 9001_stamps
Revises: 0001_accounts
"""

import sqlalchemy as sa
from alembic import op

revision = "9001_stamps"
down_revision = "0001_accounts"
branch_labels = None
depends_on = None

part_tables = ("stamps",)


def upgrade() -> None:
    op.create_table(
        "stamps",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name=op.f("fk_stamps_user_id_users"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stamps")),
    )
    op.create_index(op.f("ix_stamps_user_id"), "stamps", ["user_id"])


def downgrade() -> None:
    op.drop_table("stamps")
'''

LATER = '''\
"""Change nothing, after the part

Revision ID: 9002_later
Revises: 9001_stamps
"""

revision = "9002_later"
down_revision = "9001_stamps"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
'''

FILES = {
    "app/stamps/__init__.py": "",
    "app/stamps/models.py": MODELS,
    f"{VERSIONS}/9002_later.py": LATER,
    "docs/stamps.md": "# Stamps\n\nThis is a part: `app/stamps/` and this page.\n",
}
EXCLUDED = ("app/stamps", f"{VERSIONS}/9001_stamps.py", "docs/stamps.md")


def checkout_with_stamps(source: Path) -> Path:
    """Copy this repository's files and add the part, as CONTRIBUTING.md says."""
    listing = ["git", "ls-files", "-co", "--exclude-standard"]
    names = subprocess.run(listing, cwd=REPOSITORY, check=True, capture_output=True, text=True)
    for name in names.stdout.splitlines():
        if (REPOSITORY / name).is_file() and name.split("/")[0] not in {"tests", "docs"}:
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, source / name, follow_symlinks=False)
    template = source / "template"
    last = max((template / VERSIONS).glob("*.py"))
    migration = read(last.name, last.read_text())
    assert migration is not None
    files = FILES | {f"{VERSIONS}/9001_stamps.py": follow(MIGRATION, migration.revision)}
    for name, text in files.items():
        (template / name).parent.mkdir(exist_ok=True)
        (template / name).write_text(text)
    copier = source / "copier.yml"
    text = copier.read_text()
    lines = [
        f"""  - "{{% if 'stamps' not in parts %}}{name}{{% endif %}}"\n""" for name in EXCLUDED
    ]
    first, mark, rest = text.partition("\nproject_name:")
    choices = "  choices:\n    - sessions\n"
    assert choices in rest
    copier.write_text(
        first + "".join(lines) + mark + rest.replace(choices, f"{choices}    - stamps\n")
    )
    return source
