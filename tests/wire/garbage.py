"""What malformed requests are made of: values, texts, bodies, paths, query strings, headers and methods."""

from __future__ import annotations

from typing import Any

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 2**31, -(2**63) - 1, 2**63, 2**64, "", "x", "1e400", "\x00", "x" * 5000, [], {},
    [[]], [None], {"": ""}, {"x": {"x": {}}}, [1, "a", None, {}], "NaN", "true", "2026-13-45T99:99:99Z", 1e308, -0.0,
)  # fmt: skip
TEXTS = (
    "", " ", "\x00", "\x1b[31m", "x" * 70_000, "%", "%zz", "%ff%fe", "%00", "..", "../../etc/passwd", "a%2Fb", "é",
    "\xff", "{}", "[]", "<x/>", "' OR 1=1 --", "${jndi:ldap://x}", "1e999999", "9" * 5000, "-9" * 40, "0x10", "1_000",
    "١٢٣", "true", "NaN", "2026-02-30", "99999999999999-01-01", "Tue, 99 Foo 2014 25:61:61 GMT", "\u202e", "\ufeff",
)  # fmt: skip
RAW_BODIES = (
    b"", b" ", b"\x00", b"\xff\xfe\xfd", b"null", b"true", b"1", b'"text"', b"[]", b"{}", b"{", b"[" * 50_000,
    b'{"a":' * 50_000, b"NaN", b'{"a":NaN}', b'{"a":1e999}', b"9" * 10_000, b'{"a":"\\ud800"}', b'\xef\xbb\xbf{"a":1}',
    b'{"a":1} x', b"<", b"<a>", b"<a></b>", b"<a/>", b"<a>" * 30_000, b"<a>" * 3_000 + b"</a>" * 3_000,
    b'<?xml version="1.0" encoding="UTF-16"?><a/>', "<a/>".encode("utf-16"), b"<a>\xff</a>", b"<a>&nope;</a>",
    b"<a>&#x0;</a>", b"<a>&#xD800;</a>", b'<a x="1" x="2"/>', b"<?xml version='9.9'?><a/>", b"<a xmlns:b='c'><b:d/>",
    b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>', b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',

       b'<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb"><!ENTITY c "&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;">]><a>&d;</a>',
    b"&" * 5000, b"=" * 5000, b"a=b&" * 20_000, b"Action", b"Action=", b"Action=%zz", b"Action=a&Action=b", b"%",
    b"=&=",
    b"\x9f", b"\xa1", b"\xbf\xff", b"\x9b" + b"\xff" * 8, b"\xbb" + b"\xff" * 8, b"\x5b" + b"\xff" * 8,
    b"\x81" * 20_000,
    b"\xa1\x61a" * 20_000, b"\xd8\x1c\x81\xd8\x1d\x00", b"\xc2\x5a\x00\x10\x00\x00", b"\xa1\xf6\xf6", b"\xa1\x80\x00",
    b"\xa1\x61a\xc4\x82\x1a\x7f\xff\xff\xff\x01", b"\xa1\x61a\xd8\x23\x68(a+)+$aa", b"\xa1\x61a\xc0\x61x", b"\xf8\x00",
    b"\xa1\x61a\xc1\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00", b"\xa1\x61a\xc1\x1b\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\xa1\x61\xff\x00", b"\xa2\x61a\x01\x61a\x02", b"\xa1\x61a\xd9\x01\x02\x80", b"\xa0\xa0", b"\xfc", b"\x1c",
    b"\xff",
)  # fmt: skip
PATHS = (
    b"", b"*", b"/", b"//", b"///////", b"/%", b"/%zz", b"/%ff", b"/%00", b"/..", b"/../../etc", b"/" * 5000,
    b"/a" * 3000,
    b"/\xff\xfe", b"/ ", b"/a b", b"/{x}", b"/service/", b"/service/x/operation/", b"/service/x/operation/y/z",
    b"/service/GraniteServiceVersion20100801/operation/%ff", b"/2015-03-31/functions/%",
    b"/2013-04-01/hostedzone/%c3%28",
    b"http://evil/", b"/?", b"/a%2fb%2Fc", b"/" + b"x" * 60_000,
)  # fmt: skip
QUERIES = (
    b"%", b"%zz", b"a=%ff", b"&&&&", b"=", b"==", b"a", b"a=b=c", b"acl&policy&uploads", b"list-type=2&list-type=x",
    b"max-keys=abc", b"max-keys=99999999999999999999", b"partNumber=-1&uploadId=", b"uploadId", b"X-Amz-Credential=",
    b"X-Amz-Credential=%zz", b"X-Amz-Credential=a/20260101/r/s3/aws4_request", b"X-Amz-Credential=a%2Fb%2Fc%2Fd%2Fe",
    b"AWSAccessKeyId=a&Signature=b", b"a=b&" * 20_000, b"x" * 60_000, b"\xff=\xfe", b"Action=Nope", b"Action=GetUser",
    b"Action=RunInstances&Version=1999-01-01", b"versionId=%00", b"delete&versions", b"Action=%F0%9F%98%B9",
)  # fmt: skip
HEADERS = (
    ("authorization", ""), ("authorization", "Basic eDp5"), ("authorization", "AWS4-HMAC-SHA256"), ("authorization",
    "AWS x:y"),
    ("authorization", "AWS4-HMAC-SHA256 Credential=////, SignedHeaders=, Signature="),
    ("authorization", "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/nope/aws4_request, Signature=0"),
    ("authorization", "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/s3/aws4_request, Signature=0"),
    ("authorization", "AWS4-HMAC-SHA256 Credential=A/20260101/us-east-1/rds/aws4_request, Signature=0"),
    ("authorization", "AWS4-ECDSA-P256-SHA256 Credential=A/20260101/sts/aws4_request, Signature=0"),
    ("authorization", "Credential=" + "/" * 60_000),
    ("host", ""), ("host", "."), ("host", "." * 500), ("host", "[::1]:80"), ("host", "a" * 5000), ("host", "é.s3.x"),
    ("host", "s3."), ("host", ".s3.amazonaws.com"), ("host", "x.s3.eu-west-1.amazonaws.com:99999"), ("host", "sqs.x"),
    ("x-amz-target", ""), ("x-amz-target", "."), ("x-amz-target", "Nope"), ("x-amz-target", "DynamoDB_20120810."),
    ("x-amz-target", "DynamoDB_20120810.Nope"), ("x-amz-target", "AmazonSQS.\xff"), ("x-amz-target", "x" * 60_000),
    ("smithy-protocol", "rpc-v2-cbor"), ("smithy-protocol", "nope"), ("content-type", ""), ("content-type", "\xff"),
    ("content-type", "application/x-www-form-urlencoded"), ("content-type", "application/x-amz-json-9.9"),
    ("content-type", "multipart/form-data"), ("content-encoding", "gzip"), ("content-encoding", "gzip, gzip"),
    ("content-encoding", "br"), ("content-encoding", ",,,"), ("content-encoding", "aws-chunked"), ("content-length",
    "-1"),
    ("content-length", "99999999999999999999"), ("x-amz-content-sha256", "nope"), ("x-amz-date", "nope"), ("range",
    "x"),
    ("x-amz-account-id", "1"), ("x-amz-meta-", "x"), ("x-amz-meta-\xff", "\xff"), ("if-modified-since", "nope"),
    ("x-amz-object-lock-retain-until-date", "yesterday"), ("x-amz-mp-object-size", "many"), ("x-amz-acl", "nope"),
)  # fmt: skip
METHODS = (
    "",
    "get",
    "PATCH",
    "TRACE",
    "CONNECT",
    "OPTIONS",
    "HEAD",
    "X" * 5000,
    "\x00",
    "GET",
    "PUT",
    "POST",
    "DELETE",
)
