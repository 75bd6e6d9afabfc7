"""The bodies of requests: what does not fit is refused by one sentence, and the document says the same."""

from __future__ import annotations

from typing import Any

import pytest

from tuiha.server.http.app import described
from tuiha.server.http.bodies import (
    AttachOrder,
    BindOrder,
    Body,
    DeviceOrder,
    HoldOrder,
    RevokeOrder,
    TakeOrder,
    UserOrder,
    fitting,
    schemas,
)
from tuiha.server.http.problems import HttpProblem

ONE = {"user_id": 1, "generation": 2}
ADA = {"user_id": 1, "user": "ada"}
EPOCH = "epoch is a number from 1 to 4611686018427387904."
EACH = "Each user is {user_id, generation}, both numbers."
NO_LISTS: tuple[Any, ...] = ([], {}, None, [ONE] * 201, [{}] * 201)
NAME = "is a text of 1 to 256 printable characters."


@pytest.mark.parametrize(("kind", "said", "field", "detail"), [
    *((HoldOrder, said, "seconds", "seconds is a number from 0.1 to 120.0.") for said in (
        {}, {"seconds": True}, {"seconds": "5"}, {"seconds": 0}, {"seconds": 121}, {"seconds": float("inf")},
        {"seconds": 10**400}, {"seconds": None})),
    *((AttachOrder, {"epoch": epoch, "database": 5}, "epoch", EPOCH) for epoch in (
        True, 0, 0.5, "1", 2**62 + 1, float("inf"), None)),
    *((AttachOrder, {"epoch": 1, "database": database}, "database", f"database {NAME}") for database in (
        "", "d\n", "x" * 257, 5)),
    (AttachOrder, {"epoch": 1, "database": "db1", "seconds": None}, "seconds", "seconds is a number from 0.0 to 60.0."),
    (BindOrder, {"user": "\ud800", "server": "s1"}, "user", f"user {NAME}"),
    (BindOrder, {"user": "ada"}, "server", f"server {NAME}"),
    *((TakeOrder, {"users": users}, "users", "users is a list of 1 to 200 users.") for users in NO_LISTS),
    *((TakeOrder, {"users": [ONE, one]}, "users", EACH) for one in (
        1, {}, {**ONE, "generation": 2.0}, {**ONE, "user_id": True}, {**ONE, "user_id": 2**62})),
    *((UserOrder, {**ADA, "user_id": number}, "user_id", "user_id is a number.") for number in (0, 1.0, "1", 2**62)),
    *((UserOrder, {**ADA, "user": user}, "user", "user is a text of 1 to 256 characters.") for user in (
        "", "a\0", "\udc00", None)),
    (DeviceOrder, {**ADA, "device": "x" * 129}, "device", "device is a text of 1 to 128 characters."),
    (RevokeOrder, {**ADA, "device": "x", "reason": ""}, "reason", "reason is a text of 1 to 256 characters."),
])
def test_the_first_field_that_does_not_fit(kind: type[Body], said: dict[str, Any], field: str, detail: str) -> None:
    with pytest.raises(HttpProblem) as caught:
        fitting(said, kind)
    found = caught.value
    assert (found.status, found.title, found.detail, found.members) == (400, f"Field {field}", detail, {"field": field})


def test_what_fits() -> None:
    order = fitting({"epoch": 3.0, "database": "db1", "other": 1}, AttachOrder)
    assert (order.epoch, order.database, order.wait) == (3, "db1", None)
    assert fitting({"epoch": 3, "database": "db1", "seconds": 0}, AttachOrder).wait == 0
    assert fitting({"users": [ONE] * 200}, TakeOrder).users[-1].generation == 2
    assert fitting({**ADA, "user": "two\nlines"}, UserOrder).user == "two\nlines"


def test_the_document_has_each_body_that_it_names() -> None:
    found = described()
    named = [body["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
             for item in found["paths"].values() for operation in item.values()
             if isinstance(operation, dict) and (body := operation.get("requestBody")) is not None]
    assert set(named) | {"SeenUser"} == set(schemas())
    assert set(schemas()) <= set(found["components"]["schemas"])
    attach = schemas()["AttachOrder"]
    assert attach["required"] == ["epoch", "database"]
    assert attach["properties"]["epoch"] == {
        "type": "integer", "minimum": 1, "maximum": 2**62, "title": "Epoch"}
    assert "default" not in attach["properties"]["seconds"]
