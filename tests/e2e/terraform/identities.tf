terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.0" }
  }
}
variable "endpoint" {}
variable "alias" {}
variable "metadata" {}
variable "certificate" {}
variable "private_key" {}
provider "aws" {
  region                  = "us-east-1"
  skip_metadata_api_check = true
  skip_region_validation  = true
  endpoints {
    iam           = var.endpoint
    rolesanywhere = var.endpoint
    sts           = var.endpoint
  }
}
data "aws_caller_identity" "me" {}
data "aws_iam_policy" "reading" {
  arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
}
resource "aws_iam_account_alias" "it" {
  account_alias = var.alias
}
resource "aws_iam_account_password_policy" "it" {
  minimum_password_length        = 12
  require_symbols                = true
  allow_users_to_change_password = true
  max_password_age               = 90
  password_reuse_prevention      = 3
}
resource "aws_iam_user" "ann" {
  name = "ann"
  path = "/staff/"
  tags = { team = "red" }
}
resource "aws_iam_user_login_profile" "ann" {
  user                    = aws_iam_user.ann.name
  password_length         = 20
  password_reset_required = true
}
resource "aws_iam_access_key" "ann" {
  user = aws_iam_user.ann.name
}
resource "aws_iam_virtual_mfa_device" "phone" {
  virtual_mfa_device_name = "phone"
}
resource "aws_iam_service_specific_credential" "git" {
  service_name = "codecommit.amazonaws.com"
  user_name    = aws_iam_user.ann.name
}
resource "aws_iam_group" "staff" {
  name = "staff"
}
resource "aws_iam_user_group_membership" "ann" {
  user   = aws_iam_user.ann.name
  groups = [aws_iam_group.staff.name]
}
resource "aws_iam_group_policy_attachment" "reading" {
  group      = aws_iam_group.staff.name
  policy_arn = data.aws_iam_policy.reading.arn
}
data "aws_iam_policy_document" "queues" {
  statement {
    actions   = ["sqs:SendMessage"]
    resources = ["*"]
  }
}
resource "aws_iam_policy" "queues" {
  name   = "queues"
  policy = data.aws_iam_policy_document.queues.json
  tags   = { team = "red" }
}
resource "aws_iam_user_policy" "inline" {
  name   = "inline"
  user   = aws_iam_user.ann.name
  policy = data.aws_iam_policy_document.queues.json
}
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "AWS"
      identifiers = [aws_iam_user.ann.arn, data.aws_caller_identity.me.account_id]
    }
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
  statement {
    actions = ["sts:AssumeRoleWithWebIdentity"]
    principals {
      type        = "Federated"
      identifiers = [aws_iam_openid_connect_provider.it.arn]
    }
    condition {
      test     = "StringEquals"
      variable = "issuer.example:sub"
      values   = ["me"]
    }
  }
}
resource "aws_iam_role" "worker" {
  name                 = "worker"
  path                 = "/jobs/"
  assume_role_policy   = data.aws_iam_policy_document.trust.json
  max_session_duration = 7200
  permissions_boundary = data.aws_iam_policy.reading.arn
  tags                 = { team = "red" }
}
resource "aws_iam_role_policy_attachment" "queues" {
  role       = aws_iam_role.worker.name
  policy_arn = aws_iam_policy.queues.arn
}
resource "aws_iam_instance_profile" "worker" {
  name = "worker"
  role = aws_iam_role.worker.name
}
resource "aws_iam_service_linked_role" "batch" {
  aws_service_name = "batch.amazonaws.com"
}
resource "aws_iam_openid_connect_provider" "it" {
  url             = "https://issuer.example"
  client_id_list  = ["app"]
  thumbprint_list = ["cf23df2207d99a74fbe169e3eba035e633b65d94"]
}
resource "aws_iam_saml_provider" "it" {
  name                   = "school"
  saml_metadata_document = var.metadata
}
resource "aws_iam_server_certificate" "it" {
  name             = "web"
  certificate_body = var.certificate
  private_key      = var.private_key
}
resource "aws_rolesanywhere_trust_anchor" "it" {
  name    = "site"
  enabled = true
  source {
    source_type = "CERTIFICATE_BUNDLE"
    source_data {
      x509_certificate_data = var.certificate
    }
  }
}
resource "aws_rolesanywhere_profile" "it" {
  name      = "workers"
  enabled   = true
  role_arns = [aws_iam_role.worker.arn]
}
