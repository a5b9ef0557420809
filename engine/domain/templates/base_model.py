"""The base of policies that users construct: bad values raise InvalidTemplate at once."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from flowledger.engine.domain.templates.validation_message import first_problem
from flowledger.engine.errors import InvalidTemplate


class Declared(BaseModel):
    """Raises InvalidTemplate where it is made with values that cannot be.

    As a part of a definition that is read as a whole it raises what pydantic raises, which knows
    the place in the whole.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    def __new__(cls, *_: Any, **fields: Any) -> Self:
        """Check the fields first: pydantic itself makes its instances without any here."""
        if fields:
            try:
                cls.__pydantic_validator__.validate_python(fields)
            except ValidationError as error:
                fault = first_problem(error, "", known=lambda _: cls.model_fields, values=True)
                raise InvalidTemplate(f"{cls.__name__}: {fault}") from None
        return super().__new__(cls)
