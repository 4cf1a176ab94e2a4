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
    sts     = var.endpoint
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
