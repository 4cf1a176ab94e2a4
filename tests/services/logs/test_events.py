"""Events: what is taken, and in which order and pages it comes back."""

from __future__ import annotations

from random import Random

from tests.cloud import Cloud
from tests.services.logs.conftest import HOUR, Group, code, messages, now


def test_what_is_put_is_told_by_time(group: Group) -> None:
    at = now()
    group.put([(at, "a"), (at, "b \N{SNOWMAN}"), (at + 5, "c")])
    group.put([(at - 10, "earlier"), (at + 2, "between")])
    answer = group.get()
    assert messages(answer) == ["earlier", "a", "b \N{SNOWMAN}", "between", "c"]
    assert all(abs(event["ingestionTime"] - at) < HOUR for event in answer["events"])
    assert messages(group.get(startTime=at, endTime=at + 5)) == ["a", "b \N{SNOWMAN}", "between"]
    assert group.found(startTime=at, endTime=at + 5) == ["a", "b \N{SNOWMAN}", "between", "c"]
    [stream] = group.client.describe_log_streams(logGroupName=group.name)["logStreams"]
    assert (stream["firstEventTimestamp"], stream["lastEventTimestamp"]) == (at - 10, at + 5)
    assert group.shown()["storedBytes"] == len("ab cearlierbetween") + 3 + 5 * 26


def test_tokens_lead_on_and_stay_at_the_end(group: Group) -> None:
    at = now() - HOUR
    group.put([(at + n, str(n)) for n in range(25)])
    first = group.get(limit=10, startFromHead=True)
    second = group.get(limit=10, nextToken=first["nextForwardToken"])
    third = group.get(limit=10, nextToken=second["nextForwardToken"], startFromHead=True)
    assert messages(first) + messages(second) + messages(third) == [str(n) for n in range(25)]
    end = group.get(nextToken=third["nextForwardToken"])
    assert (messages(end), end["nextForwardToken"]) == ([], third["nextForwardToken"])
    group.put([(at + 30, "new")])
    assert messages(group.get(nextToken=end["nextForwardToken"])) == ["new"]
    last = group.get(limit=10)
    assert messages(last) == [*(str(n) for n in range(16, 25)), "new"]
    assert messages(group.get(limit=3, nextToken=last["nextBackwardToken"])) == ["13", "14", "15"]
    assert code(group.get, nextToken="f/1/s") == "InvalidParameterException"
    assert code(group.filter, nextToken="invalid") == "InvalidParameterException"


def test_an_empty_streams_token_finds_what_comes(group: Group) -> None:
    token = group.get()["nextForwardToken"]
    assert group.get(nextToken=token)["nextForwardToken"] == token
    group.put([(now(), "first")])
    assert messages(group.get(nextToken=token)) == ["first"]


def test_batches_that_overlap_make_one_sequence(group: Group) -> None:
    """Forty batches over the same hours, in two streams, read forwards and backwards in small pages."""
    random, start, wanted = Random(1), now() - 20 * HOUR, []
    group.stream("other")
    for number in range(40):
        times = sorted(start + random.randrange(19 * HOUR) for _ in range(25))
        group.put([(at, f"{number}/{at}") for at in times], random.choice(["s", "other"]))
        wanted += times
    wanted.sort()
    told = [int(message.partition("/")[2]) for message in group.found(PaginationConfig={"PageSize": 77})]
    assert told == wanted
    backwards, token = [], None
    while True:
        answer = group.get(limit=50, **({"nextToken": token} if token else {}))
        if answer["nextBackwardToken"] == token:
            break
        token = answer["nextBackwardToken"]
        backwards = messages(answer) + backwards
    forwards, token = [], None
    while True:
        answer = group.get(limit=60, startFromHead=True, **({"nextToken": token} if token else {}))
        if answer["nextForwardToken"] == token:
            break
        token = answer["nextForwardToken"]
        forwards += messages(answer)
    assert backwards == forwards == group.found(logStreamNames=["s"])
    ids = [event["eventId"] for event in group.filter(limit=1000)["events"]]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(wanted)


def test_much_that_straddles_a_page_ends_it_early(group: Group) -> None:
    """More than is looked through for one request: empty pages come between, and lead on."""
    start = now() - 23 * HOUR
    for number in range(36):
        group.put([(start + number, "x" * 1_000_000), (start + 20 * HOUR + number, f"end {number}")])
    for number in range(7):
        group.put([(start + 10 * HOUR + number, f"middle {number}")])
    wanted = [*(f"middle {number}" for number in range(7)), *(f"end {number}" for number in range(36))]
    told, token, empty = [], None, 0
    while True:
        more = {"nextToken": token} if token else {}
        answer = group.get(limit=20, startFromHead=True, startTime=start + HOUR, **more)
        if answer["nextForwardToken"] == token:
            break
        token = answer["nextForwardToken"]
        told += messages(answer)
        empty += not answer["events"]
    assert told == wanted
    assert empty
    assert group.found(startTime=start + HOUR, PaginationConfig={"PageSize": 20}) == wanted


def test_a_page_ends_at_a_mebibyte(group: Group) -> None:
    at = now()
    for number in range(3):
        group.put([(at + number * 10 + n, f"{number}{n}" + "x" * 250_000) for n in range(4)])
    answer = group.get(startFromHead=True)
    assert [message[:2] for message in messages(answer)] == ["00", "01", "02", "03"]
    assert [message[:2] for message in group.found()] == [f"{number}{n}" for number in range(3) for n in range(4)]


def test_what_is_no_batch_is_refused(group: Group) -> None:
    at = now()
    for events in (
        [(at, "a"), (at - 1, "b")],
        [(at - 24 * HOUR - 1, "a"), (at, "b")],
        [(at, "x" * 600_000), (at, "x" * 600_000)],
        [(at, "\N{SNOWMAN}" * 349_526)],
    ):
        assert code(group.put, events=events) == "InvalidParameterException"
    assert code(group.put, events=[(at, "x")], stream="none") == "ResourceNotFoundException"
    assert code(group.get, stream="none") == "ResourceNotFoundException"
    assert messages(group.get()) == []
    group.put([(at, "x" * (1_048_576 - 26))])


def test_what_is_out_of_time_is_left_out(group: Group) -> None:
    at, day = now(), 24 * HOUR
    assert group.put([(at - 15 * day, "old")])["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    answer = group.put([(at, "taken"), (at + 3 * HOUR, "new"), (at + 4 * HOUR, "new")])
    assert answer["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1}
    assert "rejectedLogEventsInfo" not in group.put([(at - 2 * day, "taken too")])
    answer = group.put([(at - 15 * day, "old"), (at + 1, "beside it")])  # a day is spanned by what is taken
    assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    assert messages(group.get())[-1] == "beside it"


def test_retention_hides_at_once_and_frees_soon(group: Group, cloud: Cloud) -> None:
    """A day of retention is three seconds in tests."""
    at, keep = now(), group.client.put_retention_policy
    group.put([(at - HOUR, "old"), (at, "new")])
    keep(logGroupName=group.name, retentionInDays=30)
    answer = group.put([(at - HOUR, "expired"), (at - 1000, "kept")])
    assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    assert messages(group.get()) == group.found() == ["kept", "new"]
    assert code(keep, logGroupName=group.name, retentionInDays=2) == "InvalidParameterException"
    keep(logGroupName=group.name, retentionInDays=1)
    cloud.wait_until(lambda: group.shown()["storedBytes"] == 0)
    group.client.delete_retention_policy(logGroupName=group.name)
    assert messages(group.get()) == []
    group.put([(at - 2 * HOUR, "kept for ever")])
    assert messages(group.get()) == ["kept for ever"]
