"""Names: of a resource and of its fields; normalised where the intention is plain, else refused."""

import keyword
import re
from dataclasses import dataclass
from typing import Final

from authkit.terminal.errors import UsageError

NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*")
LONGEST: Final = 25
"""A line has 100 characters, a name in PostgreSQL 63; some hold two of these."""

OURS: Final = frozenset({"id", "user_id", "user", "version", "created_at", "updated_at"})
"""Columns that every resource has."""

OF_QUERIES: Final = frozenset({"limit", "cursor", "offset", "order", "sort", "filters"})
OF_PYDANTIC: Final = frozenset(
    """
    construct copy dict fields from_orm json parse_file parse_obj parse_raw schema schema_json
    update_forward_refs validate
    """.split()  # noqa: SIM905
)
OF_SQLALCHEMY: Final = frozenset(
    """
    mapped_column metadata registry self t tuple type_annotation_map utc_now
    """.split()  # noqa: SIM905
)
"""Of models, of their rows, and of what takes columns by name."""
OF_POSTGRESQL: Final = frozenset({"cmax", "cmin", "ctid", "tableoid", "xmax", "xmin"})
"""Columns that each of its tables has; on SQLite they would do, so nobody would see it before."""
OF_PYTHON: Final = frozenset({"bool", "date", "datetime", "int", "list", "str"})
"""Types of fields: the next field of one would be of the type of this one."""
OF_OTHERS: Final = OF_QUERIES | OF_PYDANTIC | OF_SQLALCHEMY | OF_POSTGRESQL | OF_PYTHON

PLURALS_IN_THE_WAY: Final = frozenset({"alembic_version", "guards", "resources", "values"})
"""A table, and files that come along with the first resource."""
TABLES_OF_DATABASES: Final = ("pg_", "sqlite_")
"""How their own tables begin."""

CLASSES_IN_THE_WAY: Final = frozenset(
    """
    Account AdminUser Annotated AnyRow Any APIRouter AppError Base BigInteger CheckConstraint
    Collection CurrentUser Cursor CursorQuery Date DateTime Decimal DecimalText Error ErrorBody
    ErrorCode ExactDecimal ExactNumbersRoute FieldProblem Final ForeignKey Identifier Index Input
    Integer IntegrityError Json Literal Mapped Mapping Message Moment Output Page PasswordReset
    Query Response Role Seen Services ServicesDep Session String StringConstraints Tables Text
    Timestamp UniqueConstraint User UtcDateTime Uuid
    """.split()  # noqa: SIM905
)
"""What the generated files import, and the tables of accounts."""

VOWELS: Final = "aeiou"


@dataclass(frozen=True)
class Names:
    """One name in all its forms: line_item, LineItem, line items, /api/line-items."""

    singular: str
    plural: str

    @property
    def class_name(self) -> str:
        return pascal(self.singular)

    @property
    def word(self) -> str:
        return self.singular.replace("_", " ")

    @property
    def words(self) -> str:
        return self.plural.replace("_", " ")

    @property
    def a_word(self) -> str:
        return f"{'an' if self.word[0] in VOWELS else 'a'} {self.word}"

    @property
    def path(self) -> str:
        return f"/api/{self.plural.replace('_', '-')}"


def names_of(given: str, plural: str | None) -> Names:
    """The names of a resource; `plural` where English is not regular."""
    singular = checked(given, "resource")
    if plural is None and re.search(r"[^siu]s$", singular):
        raise UsageError(
            f"{given!r} looks like a plural", f"say one: {singular[:-1]}; or name both: --plural"
        )
    many = checked(plural, "resource") if plural else pluralised(singular)
    if many == singular:
        raise UsageError(f"the plural of {singular} has to differ from it", "say which: --plural")
    if many in PLURALS_IN_THE_WAY or many.startswith(TABLES_OF_DATABASES):
        raise UsageError(f"the plural {many} means something else here", "say another: --plural")
    if pascal(singular) in CLASSES_IN_THE_WAY:
        raise UsageError(
            f"a class {pascal(singular)} is there already", "call it something more definite"
        )
    return Names(singular, many)


def checked(given: str, what: str) -> str:
    """A name in snake_case: `dueDate` and `due-date` are plain enough."""
    name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", given).replace("-", "_").lower()
    if not NAME.fullmatch(name):
        raise UsageError(
            f"{given!r} can't be the name of a {what}",
            "write lower-case letters, digits and single underscores, a letter first in each word",
        )
    if len(name) > LONGEST:
        raise UsageError(f"{given!r} is longer than {LONGEST} characters", "shorten it")
    if keyword.iskeyword(name):  # `match`, `case`, `type` are names as well
        raise UsageError(f"{name} is a keyword of Python", "call it something else")
    return name


def field_name(given: str) -> str:
    """The name of a field, which must not be one of ours."""
    name = checked(given, "field")
    if name in OURS:
        raise UsageError(f"every resource has its own {name}", "call the field something else")
    if name in OF_OTHERS or name.startswith("model_"):
        raise UsageError(f"{name} means something else here", "call the field something else")
    return name


def pluralised(singular: str) -> str:
    if re.search(r"[^aeiou]y$", singular):
        return f"{singular[:-1]}ies"
    return singular + ("es" if re.search(r"(s|x|z|ch|sh)$", singular) else "s")


def pascal(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def camel(name: str) -> str:
    """As the project's schemas spell it: `h2o` is `h2O` there."""
    words = name.title().replace("_", "")
    return words[0].lower() + words[1:]
