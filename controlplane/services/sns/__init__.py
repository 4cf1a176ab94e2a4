"""Amazon SNS: topics, and the delivery of what is published to them."""
