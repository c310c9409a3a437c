"""Running statements again that are known to have done nothing."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.foundation.database.outages import is_stale_plan


class FirstTwice(Session):
    """Runs its first statement again if a migration has outdated its plan: nothing has been done
    yet, so nothing can be done twice."""

    _has_begun = False

    def execute(self, *args: Any, **options: Any) -> Any:
        return self._run(super().execute, args, options)

    def scalar(self, *args: Any, **options: Any) -> Any:
        return self._run(super().scalar, args, options)

    def scalars(self, *args: Any, **options: Any) -> Any:
        return self._run(super().scalars, args, options)

    def _run(
        self, method: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]
    ) -> Any:
        is_first, self._has_begun = not self._has_begun, True
        try:
            return method(*args, **options)
        except DBAPIError as error:
            if not is_first or self.new or self.dirty or not is_stale_plan(error):
                raise
        self.rollback()
        return method(*args, **options)
