"""At least 20,000 malformed requests: no exception but AwsError with 4xx, no hang, no traceback in an answer."""

from __future__ import annotations

from controlplane.wire.index import Index
from tests.wire import malformed

LEAST = 20_000


async def test_malformed_requests_are_refused_or_decoded(index: Index) -> None:
    outcome = await malformed.decode_all(malformed.requests(index), index)
    print(f"{outcome.total} requests: {outcome.decoded} decoded, refused: {dict(outcome.refused.most_common())}")
    print(f"slowest: {outcome.slowest[0] * 1000:.0f} ms, {outcome.slowest[1]}")
    assert outcome.failures[:20] == []
    assert outcome.total >= LEAST
    assert sum(outcome.refused.values()) > outcome.total / 2


def test_they_are_the_same_every_time(index: Index) -> None:
    first, again = malformed.requests(index), malformed.requests(index)
    for _ in range(2000):
        name, request = next(first)
        assert (name, request) == next(again)
