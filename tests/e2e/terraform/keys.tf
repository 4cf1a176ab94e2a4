terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.0" }
  }
}
variable "endpoint" {}
variable "material" {}
variable "expires" {}
provider "aws" {
  region                  = "us-east-1"
  skip_metadata_api_check = true
  skip_region_validation  = true
  endpoints {
    iam = var.endpoint
    kms = var.endpoint
    sts = var.endpoint
  }
}
data "aws_caller_identity" "me" {}
resource "aws_iam_user" "ann" {
  name = "ann"
}
data "aws_iam_policy_document" "key" {
  statement {
    actions   = ["kms:*"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = ["arn:aws:iam::${data.aws_caller_identity.me.account_id}:root"]
    }
  }
  statement {
    actions   = ["kms:Encrypt", "kms:Decrypt"]
    resources = ["*"]
    principals {
      type        = "AWS"
      identifiers = [aws_iam_user.ann.arn]
    }
  }
}
resource "aws_kms_key" "data" {
  description             = "data"
  deletion_window_in_days = 7
  enable_key_rotation     = true
  rotation_period_in_days = 180
  policy                  = data.aws_iam_policy_document.key.json
  tags                    = { team = "red" }
}
resource "aws_kms_alias" "data" {
  name          = "alias/data"
  target_key_id = aws_kms_key.data.key_id
}
resource "aws_kms_alias" "prefixed" {
  name_prefix   = "alias/job-"
  target_key_id = aws_kms_key.data.arn
}
resource "aws_kms_grant" "ann" {
  name              = "reading"
  key_id            = aws_kms_key.data.key_id
  grantee_principal = aws_iam_user.ann.arn
  operations        = ["Decrypt", "GenerateDataKey"]
  constraints {
    encryption_context_equals = { team = "red" }
  }
}
resource "aws_kms_key" "signing" {
  description              = "signing"
  deletion_window_in_days  = 7
  key_usage                = "SIGN_VERIFY"
  customer_master_key_spec = "ECC_NIST_P256"
  is_enabled               = false
}
resource "aws_kms_key" "mac" {
  deletion_window_in_days  = 7
  key_usage                = "GENERATE_VERIFY_MAC"
  customer_master_key_spec = "HMAC_256"
}
resource "aws_kms_key" "everywhere" {
  deletion_window_in_days = 7
  multi_region            = true
}
resource "aws_kms_key_policy" "everywhere" {
  key_id = aws_kms_key.everywhere.id
  policy = data.aws_iam_policy_document.key.json
}
resource "aws_kms_external_key" "imported" {
  description             = "imported"
  deletion_window_in_days = 7
  key_material_base64     = var.material
  valid_to                = var.expires
}
data "aws_kms_alias" "data" {
  name = aws_kms_alias.data.name
}
data "aws_kms_key" "data" {
  key_id = aws_kms_alias.data.name
}
resource "aws_kms_ciphertext" "word" {
  key_id    = aws_kms_key.data.key_id
  plaintext = "hello"
  context   = { team = "red" }
}
output "word" {
  value = aws_kms_ciphertext.word.ciphertext_blob
}
output "found" {
  value = data.aws_kms_key.data.arn == data.aws_kms_alias.data.target_key_arn
}
