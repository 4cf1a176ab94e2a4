terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.0" }
  }
}
variable "endpoint" {}
variable "name" {}
provider "aws" {
  region                  = "us-east-1"
  skip_metadata_api_check = true
  skip_region_validation  = true
  endpoints {
    route53 = var.endpoint
    ses     = var.endpoint
    sesv2   = var.endpoint
    sns     = var.endpoint
    sts     = var.endpoint
  }
}
resource "aws_route53_zone" "it" {
  name = var.name
}
resource "aws_ses_domain_identity" "it" {
  domain = var.name
}
resource "aws_ses_domain_dkim" "it" {
  domain = aws_ses_domain_identity.it.domain
}
resource "aws_route53_record" "keys" {
  count   = 3
  zone_id = aws_route53_zone.it.zone_id
  name    = "${aws_ses_domain_dkim.it.dkim_tokens[count.index]}._domainkey"
  type    = "CNAME"
  ttl     = 600
  records = ["${aws_ses_domain_dkim.it.dkim_tokens[count.index]}.dkim.amazonses.com"]
}
resource "aws_ses_email_identity" "ann" {
  email = "ann@example.com"
}
resource "aws_sns_topic" "events" {
  name = "mail"
}
resource "aws_ses_configuration_set" "old" {
  name = "old"
}
resource "aws_ses_event_destination" "events" {
  name                   = "events"
  configuration_set_name = aws_ses_configuration_set.old.name
  enabled                = true
  matching_types         = ["bounce", "send"]
  sns_destination {
    topic_arn = aws_sns_topic.events.arn
  }
}
resource "aws_ses_template" "hello" {
  name    = "hello"
  subject = "Hello {{name}}"
  text    = "Dear {{name}}"
}
resource "aws_ses_receipt_rule_set" "in" {
  rule_set_name = "in"
}
resource "aws_ses_receipt_rule" "first" {
  name          = "first"
  rule_set_name = aws_ses_receipt_rule_set.in.rule_set_name
  recipients    = [var.name]
  enabled       = true
  scan_enabled  = true
  add_header_action {
    header_name  = "X-Sorted"
    header_value = "yes"
    position     = 1
  }
}
resource "aws_sesv2_email_identity" "other" {
  email_identity         = "other.${var.name}"
  configuration_set_name = aws_sesv2_configuration_set.new.configuration_set_name
}
resource "aws_sesv2_configuration_set" "new" {
  configuration_set_name = "new"
  suppression_options {
    suppressed_reasons = ["BOUNCE"]
  }
  tags = { course = "clouds" }
}
resource "aws_sesv2_configuration_set_event_destination" "new" {
  configuration_set_name = aws_sesv2_configuration_set.new.configuration_set_name
  event_destination_name = "events"
  event_destination {
    enabled              = true
    matching_event_types = ["DELIVERY"]
    sns_destination {
      topic_arn = aws_sns_topic.events.arn
    }
  }
}
