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
    iam  = var.endpoint
    kms  = var.endpoint
    logs = var.endpoint
    sts  = var.endpoint
  }
}
data "aws_caller_identity" "own" {}
data "aws_iam_policy_document" "key" {
  statement {
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = [data.aws_caller_identity.own.account_id]
    }
  }
  statement {
    actions   = ["kms:Decrypt*", "kms:GenerateDataKey*"]
    resources = ["*"]
    principals {
      type        = "Service"
      identifiers = ["logs.us-east-1.amazonaws.com"]
    }
  }
}
resource "aws_kms_key" "logs" {
  policy                  = data.aws_iam_policy_document.key.json
  deletion_window_in_days = 7
}
resource "aws_cloudwatch_log_group" "zones" {
  name              = "/aws/route53/example.test"
  retention_in_days = 30
  kms_key_id        = aws_kms_key.logs.arn
  tags              = { team = "red" }
}
resource "aws_cloudwatch_log_stream" "own" {
  name           = "own"
  log_group_name = aws_cloudwatch_log_group.zones.name
}
data "aws_iam_policy_document" "zones" {
  statement {
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.zones.arn}:*"]
    principals {
      type        = "Service"
      identifiers = ["route53.amazonaws.com"]
    }
  }
}
resource "aws_cloudwatch_log_resource_policy" "zones" {
  policy_name     = "zones"
  policy_document = data.aws_iam_policy_document.zones.json
}
data "aws_cloudwatch_log_groups" "found" {
  log_group_name_prefix = "/aws/route53/"
  depends_on            = [aws_cloudwatch_log_group.zones]
}
resource "aws_cloudwatch_log_stream" "found" {
  name           = replace(one(data.aws_cloudwatch_log_groups.found.log_group_names), "/", "-")
  log_group_name = aws_cloudwatch_log_group.zones.name
}
