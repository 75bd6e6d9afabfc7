"""The JSON documents against the schemas that docs/json.md has."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema

PAGE = Path(__file__).parents[1] / "docs" / "json.md"


def schemas() -> dict[str, dict[str, Any]]:
    """The schemas that the page holds, by name."""
    found = [json.loads(text) for text in re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)]
    return {schema["$id"]: schema for schema in found}


def validate(document: Mapping[str, Any]) -> None:
    """Raises ValidationError for a document that is not as the page says."""
    jsonschema.Draft202012Validator(schemas()[document["schema"]]).validate(json.loads(json.dumps(document)))
