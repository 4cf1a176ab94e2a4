terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.0" }
  }
}
variable "endpoint" {}
variable "name" {}
variable "owner" {}
provider "aws" {
  region                  = "us-east-1"
  skip_metadata_api_check = true
  skip_region_validation  = true
  s3_use_path_style       = true
  endpoints {
    ec2             = var.endpoint
    kms             = var.endpoint
    logs            = var.endpoint
    route53         = var.endpoint
    route53resolver = var.endpoint
    s3              = var.endpoint
    s3control       = var.endpoint
    sts             = var.endpoint
  }
}
resource "aws_route53_delegation_set" "shared" {
  reference_name = var.name
}
resource "aws_route53_zone" "it" {
  name              = var.name
  comment           = "of Terraform"
  delegation_set_id = aws_route53_delegation_set.shared.id
  tags              = { course = "clouds" }
}
resource "aws_route53_health_check" "web" {
  ip_address        = "192.0.2.1"
  port              = 80
  type              = "HTTP"
  resource_path     = "/health"
  failure_threshold = 2
  request_interval  = 30
  disabled          = true
  tags              = { Name = "web" }
}
resource "aws_route53_record" "text" {
  zone_id = aws_route53_zone.it.zone_id
  name    = "text"
  type    = "TXT"
  ttl     = 300
  records = ["v=one two"]
}
resource "aws_route53_record" "web" {
  for_each        = { blue = "192.0.2.1", green = "192.0.2.2" }
  zone_id         = aws_route53_zone.it.zone_id
  name            = "www"
  type            = "A"
  ttl             = 60
  records         = [each.value]
  set_identifier  = each.key
  health_check_id = aws_route53_health_check.web.id
  weighted_routing_policy {
    weight = 10
  }
}
resource "aws_route53_record" "apex" {
  zone_id = aws_route53_zone.it.zone_id
  name    = var.name
  type    = "A"
  alias {
    name                   = "www.${var.name}"
    zone_id                = aws_route53_zone.it.zone_id
    evaluate_target_health = true
  }
  depends_on = [aws_route53_record.web]
}
resource "aws_s3_bucket" "site" {
  bucket        = "site.${var.name}"
  force_destroy = true
}
resource "aws_s3_bucket_website_configuration" "site" {
  bucket = aws_s3_bucket.site.id
  index_document { suffix = "index.html" }
}
resource "aws_s3_bucket_public_access_block" "site" {
  bucket              = aws_s3_bucket.site.id
  block_public_policy = false
}
resource "aws_s3_bucket_policy" "site" {
  bucket     = aws_s3_bucket.site.id
  depends_on = [aws_s3_bucket_public_access_block.site]
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = "*"
      Action    = "s3:GetObject"
      Resource  = "${aws_s3_bucket.site.arn}/*"
    }]
  })
}
resource "aws_s3_object" "site" {
  bucket       = aws_s3_bucket.site.id
  key          = "index.html"
  content      = "of Terraform"
  content_type = "text/html"
}
resource "aws_route53_record" "site" {
  zone_id = aws_route53_zone.it.zone_id
  name    = aws_s3_bucket.site.id
  type    = "A"
  alias {
    name                   = aws_s3_bucket_website_configuration.site.website_domain
    zone_id                = aws_s3_bucket.site.hosted_zone_id
    evaluate_target_health = false
  }
}
resource "aws_route53_record" "near" {
  for_each       = { "us-east-1" = "192.0.2.3", "eu-west-1" = "192.0.2.4" }
  zone_id        = aws_route53_zone.it.zone_id
  name           = "near"
  type           = "A"
  ttl            = 60
  records        = [each.value]
  set_identifier = each.key
  latency_routing_policy {
    region = each.key
  }
}
resource "aws_route53_record" "country" {
  for_each       = { "*" = "192.0.2.5", "MX" = "192.0.2.6" }
  zone_id        = aws_route53_zone.it.zone_id
  name           = "country"
  type           = "A"
  ttl            = 60
  records        = [each.value]
  set_identifier = "in ${each.key}"
  geolocation_routing_policy {
    country = each.key
  }
}
resource "aws_route53_record" "backup" {
  for_each        = { PRIMARY = "192.0.2.7", SECONDARY = "192.0.2.8" }
  zone_id         = aws_route53_zone.it.zone_id
  name            = "backup"
  type            = "A"
  ttl             = 60
  records         = [each.value]
  set_identifier  = each.key
  health_check_id = each.key == "PRIMARY" ? aws_route53_health_check.web.id : null
  failover_routing_policy {
    type = each.key
  }
}
resource "aws_route53_record" "many" {
  for_each                         = toset(["192.0.2.9", "192.0.2.10"])
  zone_id                          = aws_route53_zone.it.zone_id
  name                             = "many"
  type                             = "A"
  ttl                              = 60
  records                          = [each.value]
  set_identifier                   = each.value
  multivalue_answer_routing_policy = true
}
resource "aws_route53_health_check" "all" {
  type                   = "CALCULATED"
  child_health_threshold = 1
  child_healthchecks     = [aws_route53_health_check.web.id]
}
resource "aws_vpc" "it" {
  cidr_block = "10.9.0.0/16"
}
resource "aws_route53_zone" "private" {
  name = "corp.${var.name}"
  vpc {
    vpc_id = aws_vpc.it.id
  }
}
resource "aws_route53_record" "inside" {
  zone_id = aws_route53_zone.private.zone_id
  name    = "db"
  type    = "CNAME"
  ttl     = 60
  records = ["host.corp.${var.name}"]
}
resource "aws_kms_key" "signing" {
  customer_master_key_spec = "ECC_NIST_P256"
  key_usage                = "SIGN_VERIFY"
  deletion_window_in_days  = 7
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Effect = "Allow", Principal = { AWS = "arn:aws:iam::${var.owner}:root" }, Action = "kms:*", Resource = "*" },
      {
        Effect    = "Allow"
        Principal = { Service = "dnssec-route53.amazonaws.com" }
        Action    = ["kms:DescribeKey", "kms:GetPublicKey", "kms:Sign"]
        Resource  = "*"
      },
    ]
  })
}
resource "aws_route53_key_signing_key" "it" {
  hosted_zone_id             = aws_route53_zone.it.id
  key_management_service_arn = aws_kms_key.signing.arn
  name                       = "terraform"
}
resource "aws_route53_hosted_zone_dnssec" "it" {
  hosted_zone_id = aws_route53_key_signing_key.it.hosted_zone_id
}
resource "aws_cloudwatch_log_group" "it" {
  name              = "/aws/route53/${var.name}"
  retention_in_days = 7
}
resource "aws_cloudwatch_log_resource_policy" "it" {
  policy_name = "route53"
  policy_document = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "route53.amazonaws.com" }
      Action    = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource  = "arn:aws:logs:*:*:log-group:/aws/route53/*"
    }]
  })
}
resource "aws_route53_query_log" "it" {
  zone_id                  = aws_route53_zone.it.zone_id
  cloudwatch_log_group_arn = aws_cloudwatch_log_group.it.arn
  depends_on               = [aws_cloudwatch_log_resource_policy.it]
}
resource "aws_route53_traffic_policy" "it" {
  name = var.name
  document = jsonencode({
    AWSPolicyFormatVersion = "2015-10-01"
    RecordType             = "A"
    StartRule              = "both"
    Endpoints = {
      one = { Type = "value", Value = "192.0.2.21" }
      two = { Type = "value", Value = "192.0.2.22" }
    }
    Rules = {
      both = {
        RuleType = "weighted"
        Items    = [{ EndpointReference = "one", Weight = "1" }, { EndpointReference = "two", Weight = "1" }]
      }
    }
  })
}
resource "aws_route53_traffic_policy_instance" "it" {
  name                   = "policy.${var.name}"
  traffic_policy_id      = aws_route53_traffic_policy.it.id
  traffic_policy_version = aws_route53_traffic_policy.it.version
  hosted_zone_id         = aws_route53_zone.it.zone_id
  ttl                    = 60
}
resource "aws_subnet" "it" {
  count      = 2
  vpc_id     = aws_vpc.it.id
  cidr_block = "10.9.${count.index}.0/24"
}
resource "aws_security_group" "it" {
  vpc_id = aws_vpc.it.id
  name   = "resolver"
}
resource "aws_route53_resolver_endpoint" "out" {
  name               = "out"
  direction          = "OUTBOUND"
  security_group_ids = [aws_security_group.it.id]
  dynamic "ip_address" {
    for_each = aws_subnet.it
    content {
      subnet_id = ip_address.value.id
    }
  }
}
resource "aws_route53_resolver_rule" "office" {
  name                 = "office"
  domain_name          = "office.${var.name}"
  rule_type            = "FORWARD"
  resolver_endpoint_id = aws_route53_resolver_endpoint.out.id
  target_ip {
    ip = "192.0.2.53"
  }
  tags = { course = "clouds" }
}
resource "aws_route53_resolver_rule_association" "office" {
  resolver_rule_id = aws_route53_resolver_rule.office.id
  vpc_id           = aws_vpc.it.id
}
