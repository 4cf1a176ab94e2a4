"""What an account may have in CloudWatch Logs, for the test that others cannot reach it."""

from __future__ import annotations

import json
import time
import uuid

from tests.cloud import Account


def make(account: Account) -> None:
    """A group with a stream and an event, and a resource policy."""
    logs, name = account.client("logs"), f"own-{uuid.uuid4().hex[:12]}"
    logs.create_log_group(logGroupName=name, tags={name: name})
    logs.create_log_stream(logGroupName=name, logStreamName=name)
    logs.put_log_events(
        logGroupName=name,
        logStreamName=name,
        logEvents=[{"timestamp": int(time.time() * 1000), "message": name}],
    )
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "route53.amazonaws.com"},
        "Action": "logs:PutLogEvents",
        "Resource": f"arn:aws:logs:us-east-1:{account.id}:log-group:{name}:*",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    logs.put_resource_policy(policyName=name, policyDocument=document)
