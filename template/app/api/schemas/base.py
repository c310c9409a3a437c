"""The base of every body. Names are camelCase outside and snake_case inside."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel


def _title(name: str, _: object) -> str:
    return name.replace("_", " ").capitalize()


class Input(BaseModel):
    """A request body. It refuses unknown fields (ASVS 5.0 15.3.3), and numbers in place of
    texts."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        field_title_generator=_title,
        extra="forbid",
        strict=True,
        validate_by_name=False,
    )

    @model_validator(mode="before")
    @classmethod
    def _keep_one_unknown_field(cls, body: Any) -> Any:
        """One unknown field is enough to refuse the body; thousands would each make an error."""
        if not isinstance(body, dict) or len(body) <= len(cls.model_fields):
            return body
        if cls.model_config.get("extra") != "forbid":
            return body
        aliases = [field.validation_alias for field in cls.model_fields.values()]
        names = {*cls.model_fields, *(alias for alias in aliases if isinstance(alias, str))}
        unknown = body.keys() - names
        if len(unknown) < 2 or not all(isinstance(alias, str) for alias in aliases):
            return body
        return {name: body[name] for name in (*(names & body.keys()), unknown.pop())}


class Output(BaseModel):
    """A response body."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        field_title_generator=_title,
        validate_by_name=True,
        from_attributes=True,
    )


class Message(Output):
    message: str
