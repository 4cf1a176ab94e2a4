terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.0" }
  }
}
variable "endpoint" {}
provider "aws" {
  region                  = "us-east-1"
  skip_metadata_api_check = true
  skip_region_validation  = true
  endpoints {
    iam = var.endpoint
    sns = var.endpoint
    sqs = var.endpoint
    sts = var.endpoint
  }
}
resource "aws_iam_user" "worker" {
  name = "worker"
}
resource "aws_sqs_queue" "dead" {
  name                      = "orders-dead"
  message_retention_seconds = 1209600
}
resource "aws_sqs_queue" "orders" {
  name                       = "orders"
  visibility_timeout_seconds = 60
  receive_wait_time_seconds  = 5
  redrive_policy             = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead.arn, maxReceiveCount = 3 })
  tags                       = { team = "red" }
}
resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  queue_url            = aws_sqs_queue.dead.id
  redrive_allow_policy = jsonencode({ redrivePermission = "byQueue", sourceQueueArns = [aws_sqs_queue.orders.arn] })
}
resource "aws_sqs_queue" "steps" {
  name                        = "steps.fifo"
  fifo_queue                  = true
  content_based_deduplication = true
  deduplication_scope         = "messageGroup"
  fifo_throughput_limit       = "perMessageGroupId"
}
resource "aws_sns_topic" "orders" {
  name         = "orders"
  display_name = "Orders"
  tags         = { team = "red" }
}
resource "aws_sns_topic" "steps" {
  name                        = "steps.fifo"
  fifo_topic                  = true
  content_based_deduplication = true
}
data "aws_iam_policy_document" "queue" {
  for_each = { orders = aws_sqs_queue.orders.arn, steps = aws_sqs_queue.steps.arn }
  statement {
    actions   = ["sqs:SendMessage"]
    resources = [each.value]
    principals {
      type        = "Service"
      identifiers = ["sns.amazonaws.com"]
    }
    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [aws_sns_topic.orders.arn, aws_sns_topic.steps.arn]
    }
  }
  statement {
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage"]
    resources = [each.value]
    principals {
      type        = "AWS"
      identifiers = [aws_iam_user.worker.arn]
    }
  }
}
resource "aws_sqs_queue_policy" "orders" {
  queue_url = aws_sqs_queue.orders.id
  policy    = data.aws_iam_policy_document.queue["orders"].json
}
resource "aws_sqs_queue_policy" "steps" {
  queue_url = aws_sqs_queue.steps.id
  policy    = data.aws_iam_policy_document.queue["steps"].json
}
resource "aws_sns_topic_policy" "orders" {
  arn = aws_sns_topic.orders.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "worker", Effect = "Allow", Principal = { AWS = aws_iam_user.worker.arn }, Action = "sns:Publish",
      Resource  = aws_sns_topic.orders.arn
    }]
  })
}
resource "aws_sns_topic_subscription" "orders" {
  topic_arn            = aws_sns_topic.orders.arn
  protocol             = "sqs"
  endpoint             = aws_sqs_queue.orders.arn
  raw_message_delivery = true
  filter_policy        = jsonencode({ kind = ["order", { prefix = "re" }], size = [{ numeric = [">", 0, "<=", 10] }] })
  redrive_policy       = jsonencode({ deadLetterTargetArn = aws_sqs_queue.dead.arn })
}
resource "aws_sns_topic_subscription" "steps" {
  topic_arn           = aws_sns_topic.steps.arn
  protocol            = "sqs"
  endpoint            = aws_sqs_queue.steps.arn
  filter_policy       = jsonencode({ order = { id = [{ exists = true }] } })
  filter_policy_scope = "MessageBody"
}
