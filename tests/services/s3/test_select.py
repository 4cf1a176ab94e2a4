"""SQL over objects: what it finds, and what it must not reach."""

from __future__ import annotations

import bz2
import gzip
import json
from typing import Any

import duckdb
import pytest
from botocore.exceptions import ClientError, EventStreamError

PEOPLE = 'name,age\nann,30\nbob,5\n"c, d",40\n'
CSV: dict[str, Any] = {"CSV": {"FileHeaderInfo": "USE"}}
LINES: dict[str, Any] = {"JSON": {"Type": "LINES"}}


def select(s3: Any, bucket: str, key: str, sql: str, given: dict[str, Any], **more: Any) -> str:
    output = more.pop("output", {"JSON": {}})
    answer = s3.select_object_content(
        Bucket=bucket, Key=key, Expression=sql, ExpressionType="SQL", InputSerialization=given,
        OutputSerialization=output, **more,
    )  # fmt: skip
    found, ended = [], False
    for event in answer["Payload"]:
        if "Records" in event:
            found.append(event["Records"]["Payload"])
        ended = ended or "End" in event
    assert ended
    return b"".join(found).decode()


def test_csv_json_and_parquet(s3: Any, bucket: str, tmp_path: Any) -> None:
    s3.put_object(Bucket=bucket, Key="p.csv", Body=PEOPLE)
    older = "SELECT s.name FROM S3Object s WHERE CAST(s.age AS INT) > 10"
    assert select(s3, bucket, "p.csv", older, CSV) == '{"name":"ann"}\n{"name":"c, d"}\n'
    always = {"CSV": {"QuoteFields": "ALWAYS", "RecordDelimiter": "|"}}
    assert select(s3, bucket, "p.csv", older, CSV, output=always) == '"ann"|"c, d"|'
    assert select(s3, bucket, "p.csv", "SELECT _2 FROM s3object LIMIT 1", {"CSV": {"FileHeaderInfo": "IGNORE"}}) == (
        '{"_2":"30"}\n'
    )
    assert select(s3, bucket, "p.csv", "SELECT count(*) FROM S3Object", {"CSV": {}}) == '{"_1":4}\n'
    s3.put_object(Bucket=bucket, Key="p.gz", Body=gzip.compress(PEOPLE.encode()))
    assert "ann" in select(s3, bucket, "p.gz", older, {**CSV, "CompressionType": "GZIP"})
    s3.put_object(Bucket=bucket, Key="p.bz2", Body=bz2.compress(PEOPLE.encode()))
    assert "ann" in select(s3, bucket, "p.bz2", older, {**CSV, "CompressionType": "BZIP2"})
    lines = "\n".join(json.dumps({"n": n, "in": {"x": [{"y": n}, {"y": -n}]}}) for n in range(50_000))
    s3.put_object(Bucket=bucket, Key="l.json", Body=lines)
    assert select(s3, bucket, "l.json", 'SELECT s."in".x[1].y AS y FROM S3Object s WHERE s.n = 7', LINES) == '{"y":7}\n'
    assert select(s3, bucket, "l.json", "SELECT s.n FROM S3Object s", LINES).count("\n") == 50_000
    s3.put_object(Bucket=bucket, Key="d.json", Body=json.dumps({"items": [{"a": 1}, {"a": 2}]}))
    document = {"JSON": {"Type": "DOCUMENT"}}
    assert select(s3, bucket, "d.json", "SELECT * FROM S3Object[*].items[*] s", document) == '{"a":1}\n{"a":2}\n'
    duckdb.sql(f"COPY (SELECT 5 AS five, 'x' AS t) TO '{tmp_path}/p.parquet'")
    s3.put_object(Bucket=bucket, Key="p.parquet", Body=(tmp_path / "p.parquet").read_bytes())
    assert select(s3, bucket, "p.parquet", "SELECT five FROM S3Object", {"Parquet": {}}) == '{"five":5}\n'
    start = PEOPLE.index("bob")
    ranged = {"Start": start, "End": start + 2}
    assert select(s3, bucket, "p.csv", "SELECT _1 FROM S3Object", {"CSV": {}}, ScanRange=ranged) == '{"_1":"bob"}\n'


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM read_blob('/proc/self/environ')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM read_csv('http://127.0.0.1:4566/')",
        "COPY (SELECT 1) TO '/tmp/celaje-select'",
        "ATTACH '/tmp/celaje-select.db'",
        "INSTALL httpfs",
        "SET enable_external_access = true",
        "SELECT 1; SELECT 2",
        "SELECT",
        "SELECT nothing FROM S3Object",
    ],
)
def test_a_query_reaches_nothing_else(s3: Any, bucket: str, sql: str) -> None:
    s3.put_object(Bucket=bucket, Key="p.csv", Body=PEOPLE)
    with pytest.raises(ClientError) as refused:
        select(s3, bucket, "p.csv", sql, CSV)
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    assert "root:" not in str(refused.value)


def test_what_is_no_table_is_refused(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="x", Body=b"\x00\xff" * 1000)
    s3.put_object(Bucket=bucket, Key="empty", Body=b"")
    for given in (LINES, {"Parquet": {}}, {**CSV, "CompressionType": "GZIP"}):
        with pytest.raises(ClientError) as refused:
            select(s3, bucket, "x", "SELECT * FROM S3Object", given)
        assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_what_is_wrong_behind_the_first_rows_is_told(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body="n\n" + "1\n" * 2_000_000 + "x\n")
    with pytest.raises(EventStreamError, match="CastFailed"):
        select(s3, bucket, "k", "SELECT CAST(s.n AS INT) AS n FROM S3Object s", CSV)


def test_a_query_that_takes_long_tells_only_what_it_finds(s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body="n\n1\n")
    most = 50_000_000_000
    assert select(s3, bucket, "k", f"SELECT count(*) AS n FROM range({most})", CSV) == f'{{"n":{most}}}\n'
