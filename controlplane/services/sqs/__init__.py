"""Amazon SQS: queues of messages in Postgres."""
