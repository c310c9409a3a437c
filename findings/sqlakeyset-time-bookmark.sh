#!/usr/bin/env bash
# Versions: sqlakeyset 2.0.1787969905, SQLAlchemy 2.1.9.
# Done: read a table page by page, sorted by a column with a date, with date and time, and with a time
#   of day; each time gave back the bookmark of the first page to get the second.
# Came: the second page for the first two. For a time of day the bookmark is written, `>t:09:30:00~i:2`,
#   and BadBookmark when it comes back.
# Expected: the second page, or an error where the bookmark is written, as types that it does not know
#   get one (UnregisteredType).
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check sqlakeyset==2.0.1787969905 sqlalchemy==2.1.9
cat > "$folder/page.py" <<'PY'
import datetime as dt
import sys
from importlib.metadata import version

from sqlakeyset import BadBookmark, select_page
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Visit(Base):
    __tablename__ = "visits"
    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[dt.date]
    moment: Mapped[dt.datetime]
    hour: Mapped[dt.time]


SEEN = {"day": [3, 4], "moment": [3, 4], "hour": "BadBookmark"}

print("sqlakeyset", version("sqlakeyset"))
engine = create_engine("sqlite://")
Base.metadata.create_all(engine)
changed = False
with Session(engine) as db:
    for number in range(5):
        moment = dt.datetime(2026, 1, 1 + number, 8 + number, 30)
        db.add(Visit(day=moment.date(), moment=moment, hour=moment.time()))
    db.commit()
    for name, seen in SEEN.items():
        query = select(Visit).order_by(getattr(Visit, name), Visit.id)
        bookmark = select_page(db, query, per_page=2).paging.bookmark_next
        try:
            came = [row[0].id for row in select_page(db, query, per_page=2, page=bookmark)]
        except BadBookmark:
            came = "BadBookmark"
        print(f"by {name}, after {bookmark}: {came}")
        if came != seen:
            print(f"    this has changed: it was {seen}")
            changed = True
sys.exit(changed)
PY
"$folder/venv/bin/python" "$folder/page.py"
