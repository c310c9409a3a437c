"""What every body is made of. Names are camelCase outside and snake_case inside."""

from pydantic import (
    BaseModel,
    ConfigDict,
)
from pydantic.alias_generators import to_camel


class Input(BaseModel):
    """A request body. Fields that are not declared are refused (ASVS 5.0 15.3.3), and so are
    numbers where a text is meant."""

    model_config = ConfigDict(
        alias_generator=to_camel, extra="forbid", strict=True, validate_by_name=False
    )


class Output(BaseModel):
    """A response body."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True, from_attributes=True)


class Message(Output):
    message: str
