"""The JSON Schema of docs/protocol.md, and whether a message fits it."""

import json
import re
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from tests.plugin.processes import ROOT

PAGE = ROOT / "docs" / "protocol.md"


@cache
def schema() -> dict[str, Any]:
    (block,) = re.findall(r"```json\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    found: dict[str, Any] = json.loads(block)
    Draft202012Validator.check_schema(found)
    return found


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": schema()["$defs"]})


def fits(message: object, name: str) -> bool:
    return _validator(name).is_valid(message)


def check_worker_message(message: object) -> None:
    """Fails where the worker says something that the schema does not know."""
    _validator("worker_message").validate(message)
