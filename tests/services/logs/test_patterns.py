"""Filter patterns, by cases: which of some messages each is for."""

from __future__ import annotations

import time

import pytest

from controlplane.services.logs.errors import InvalidParameterException
from controlplane.services.logs.patterns import compiled
from tests.services.logs.conftest import Group, code, now

WORDS = ["ERROR one", "ERROR two words", "WARN one", "INFO"]
LINES = [
    '127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /index.html HTTP/1.0" 200 1534',
    '127.0.0.1 - anna [10/Oct/2000:13:35:22 -0700] "GET /about HTTP/1.0" 404 100',
    '10.0.0.7 - anna [10/Oct/2000:13:50:35 -0700] "PUT /x HTTP/1.0" 403 7',
    "127.0.0.1 too short",
]
DOCUMENTS = [
    '{"kind": "update", "n": 5, "who": {"id": 1, "roles": ["a", "b"]}, "gone": null, "ok": true}',
    '{"kind": "upload", "n": 7.5, "who": {"id": "x1"}, "list": [{"v": 1}, {"v": 2}], "a.b": 1}',
    '{"kind": "delete", "n": 1e3, "ok": false}',
    "no JSON",
]
IDS = ['{"id": 9007199254740992}', '{"id": 9007199254740993}']


@pytest.mark.parametrize(
    ("given", "pattern", "found"),
    [
        (WORDS, " ", [0, 1, 2, 3]),
        (WORDS, "ERROR", [0, 1]),
        (WORDS, "error", []),
        (WORDS, "one ERROR", [0]),
        (WORDS, '"two words"', [1]),
        (WORDS, "?WARN ?INFO", [2, 3]),
        (WORDS, "ERROR -two", [0]),
        (WORDS, "-ERROR", [2, 3]),
        (WORDS, "?WARN one", [0, 2]),
        (WORDS, "%^[EW].*one$%", [0, 2]),
        (LINES, "[ip=%^10\\.%, ...]", [2]),
        (DOCUMENTS, "{ $.kind = %^up[dl]% }", [0, 1]),
        (LINES, "[ip, id, user, time, request, status, size]", [0, 1, 2]),
        (LINES, "[ip=127.0.0.1, ...]", [0, 1, 3]),
        (LINES, "[..., status=4*, size]", [1, 2]),
        (LINES, "[ip, ..., status = 4* && status != 403, size]", [1]),
        (LINES, "[ip, id, user=frank || user=anna, t, r=*html*, s, b>1000]", [0]),
        (LINES, '[..., request = "GET *", status, size]', [0, 1]),
        (LINES, "[a, b, c]", [3]),
        (DOCUMENTS, '{ $.kind = "update" }', [0]),
        (DOCUMENTS, "{ $.kind = up* }", [0, 1]),
        (DOCUMENTS, '{ $.kind != "update" }', [1, 2]),
        (DOCUMENTS, "{ $.n >= 7.5 }", [1, 2]),
        (DOCUMENTS, "{ $.n = 5 }", [0]),
        (DOCUMENTS, "{ ($.n = 5 || $.n = 1000) && $.kind = delete }", [2]),
        (DOCUMENTS, "{ $.n = 5 || $.n = 1000 && $.kind = nothing }", [0]),
        (DOCUMENTS, "{ $.who.id = 1 }", [0]),
        (DOCUMENTS, "{ $.who.roles[1] = b }", [0]),
        (DOCUMENTS, "{ $.who.roles[*] = a }", [0]),
        (DOCUMENTS, "{ $.list[*].v = 2 }", [1]),
        (DOCUMENTS, "{ $.gone IS NULL }", [0]),
        (DOCUMENTS, "{ $.gone NOT EXISTS }", [1, 2]),
        (DOCUMENTS, "{ $.ok IS TRUE }", [0]),
        (DOCUMENTS, "{ $.ok is false }", [2]),
        (DOCUMENTS, "{ $.['a.b'] = 1 }", [1]),
        (DOCUMENTS, "{ $.n = * }", [0, 1, 2]),
        (IDS, "{ $.id = 9007199254740993 }", [1]),
        (IDS, "{ $.id >= 9007199254740993 }", [1]),
        (["0123 a", "123 a", "123.0 a"], "[a=0123, b]", [0]),
        (["0123 a", "123 a", "123.0 a"], "[a=123, b]", [1, 2]),
        (["0123 a", "7 a"], "[a>8, b]", [0]),
        (['[a "b] c', '"a"b "c', "[a [b c"], "[x=*a*, y=*b*, z=*c]", [1, 2]),
    ],
)
def test_which_messages_fit(given: list[str], pattern: str, found: list[int]) -> None:
    test = compiled(pattern)
    assert [place for place, message in enumerate(given) if test is None or test(message)] == found


@pytest.mark.parametrize(
    "pattern",
    ['"open', "{", "{}", "{ $.a }", "{ $.a = }", "{ a = 1 }", "{ $.a < x }", "{ ($.a = 1 }", "[a, ..., ...]", "[a b]",
     "[", "[a = ]", "{ $.a IS MAYBE }", "{" + "(" * 900 + "$.a = 1}", "{ $ = 1 }", "{ $.a = 1 2 }", "%(a)%", "%[%",
     "%a% %b% %c%", "{ $.a = %a% || $.a = %b% || $.a = %c% }", "%a.{999}.{999}c%", "{ $.a[*].b[*] = 1 }",
     "{ $.a[*] = 1 || $.a[*] = 2 || $.a[*] = 3 || $.a[*] = 4 }"],
)  # fmt: skip
def test_what_is_no_pattern_is_refused(pattern: str) -> None:
    with pytest.raises(InvalidParameterException):
        compiled(pattern)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("[a, b]", "[ " * 500_000),
        ('[a, b, ..., c="x"]', '"[ ' * 340_000),
        ("{ $.a[*] = 3 || $.a[*] = 4 || $.a[*] = 5 }", '{"a": [' + "1," * 500_000 + "1]}"),
        ("%a.{40}c%", "ab" * 500_000),
    ],
)
def test_no_message_takes_long(pattern: str, message: str) -> None:
    """A mebibyte in seconds on a slow machine, where it took minutes."""
    test, began = compiled(pattern), time.process_time()
    assert test is not None and not test(message)
    assert time.process_time() - began < 8


def test_a_search_is_for_a_pattern(group: Group) -> None:
    at = now() - 10_000
    for number in range(40):
        group.put([(at + number, f'{{"n": {number}, "text": "{"x" * 20_000}"}}'), (at + number, f"line {number}")])
    wanted = [f"line {number}" for number in range(40)]
    assert group.found(filterPattern="line", PaginationConfig={"PageSize": 7}) == wanted
    assert len(group.found(filterPattern="{ $.n > 36 }")) == 3
    assert group.found(filterPattern="nowhere") == []
    assert code(group.filter, filterPattern="{ $.n }") == "InvalidParameterException"
