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
  s3_use_path_style       = true
  endpoints {
    iam       = var.endpoint
    kms       = var.endpoint
    s3        = var.endpoint
    s3control = var.endpoint
    sqs       = var.endpoint
    sts       = var.endpoint
  }
}
data "aws_caller_identity" "me" {}
data "aws_canonical_user_id" "me" {}

resource "aws_s3_bucket" "data" {
  bucket              = var.name
  object_lock_enabled = true
  tags                = { course = "clouds" }
}
resource "aws_s3_bucket" "log" {
  bucket        = "${var.name}-log"
  force_destroy = true
}
resource "aws_s3_bucket_ownership_controls" "log" {
  bucket = aws_s3_bucket.log.id
  rule { object_ownership = "BucketOwnerPreferred" }
}
resource "aws_s3_bucket_acl" "log" {
  depends_on = [aws_s3_bucket_ownership_controls.log]
  bucket     = aws_s3_bucket.log.id
  access_control_policy {
    owner { id = data.aws_canonical_user_id.me.id }
    grant {
      permission = "FULL_CONTROL"
      grantee {
        type = "CanonicalUser"
        id   = data.aws_canonical_user_id.me.id
      }
    }
    grant {
      permission = "WRITE"
      grantee {
        type = "Group"
        uri  = "http://acs.amazonaws.com/groups/s3/LogDelivery"
      }
    }
  }
}
resource "aws_s3_bucket_versioning" "data" {
  bucket = aws_s3_bucket.data.id
  versioning_configuration { status = "Enabled" }
}
resource "aws_s3_bucket_object_lock_configuration" "data" {
  bucket = aws_s3_bucket.data.id
  rule {
    default_retention {
      mode = "GOVERNANCE"
      days = 1
    }
  }
}
resource "aws_s3_bucket_public_access_block" "data" {
  bucket                  = aws_s3_bucket.data.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}
resource "aws_s3_bucket_policy" "data" {
  bucket = aws_s3_bucket.data.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Own"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.me.account_id}:root" }
      Action    = "s3:GetObject"
      Resource  = "${aws_s3_bucket.data.arn}/*"
    }]
  })
}
resource "aws_kms_key" "data" {
  deletion_window_in_days = 7
}
resource "aws_s3_bucket_server_side_encryption_configuration" "data" {
  bucket = aws_s3_bucket.data.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.data.arn
    }
  }
}
resource "aws_s3_bucket_lifecycle_configuration" "data" {
  depends_on = [aws_s3_bucket_versioning.data]
  bucket     = aws_s3_bucket.data.id
  rule {
    id     = "old"
    status = "Enabled"
    filter { prefix = "logs/" }
    expiration { days = 90 }
    noncurrent_version_expiration { noncurrent_days = 30 }
    transition {
      days          = 30
      storage_class = "GLACIER"
    }
    abort_incomplete_multipart_upload { days_after_initiation = 7 }
  }
}
resource "aws_s3_bucket_cors_configuration" "data" {
  bucket = aws_s3_bucket.data.id
  cors_rule {
    allowed_headers = ["*"]
    allowed_methods = ["GET", "PUT"]
    allowed_origins = ["https://example.com"]
    expose_headers  = ["ETag"]
    max_age_seconds = 3000
  }
}
resource "aws_s3_bucket_website_configuration" "log" {
  bucket = aws_s3_bucket.log.id
  index_document { suffix = "index.html" }
  error_document { key = "error.html" }
}
resource "aws_s3_bucket_logging" "data" {
  bucket        = aws_s3_bucket.data.id
  target_bucket = aws_s3_bucket.log.id
  target_prefix = "log/"
}
resource "aws_s3_bucket_request_payment_configuration" "log" {
  bucket = aws_s3_bucket.log.id
  payer  = "BucketOwner"
}
resource "aws_s3_bucket_accelerate_configuration" "log" {
  bucket = aws_s3_bucket.log.id
  status = "Suspended"
}
resource "aws_s3_bucket_intelligent_tiering_configuration" "data" {
  bucket = aws_s3_bucket.data.id
  name   = "all"
  tiering {
    access_tier = "DEEP_ARCHIVE_ACCESS"
    days        = 180
  }
}
resource "aws_s3_bucket_metric" "data" {
  bucket = aws_s3_bucket.data.id
  name   = "all"
}
resource "aws_s3_bucket_analytics_configuration" "data" {
  bucket = aws_s3_bucket.data.id
  name   = "all"
}
resource "aws_s3_bucket_inventory" "data" {
  bucket                   = aws_s3_bucket.data.id
  name                     = "all"
  included_object_versions = "All"
  schedule { frequency = "Daily" }
  destination {
    bucket {
      format     = "CSV"
      bucket_arn = aws_s3_bucket.log.arn
    }
  }
}
resource "aws_sqs_queue" "told" {
  name = var.name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "s3.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = "arn:aws:sqs:us-east-1:${data.aws_caller_identity.me.account_id}:${var.name}"
    }]
  })
}
resource "aws_s3_bucket_notification" "data" {
  bucket = aws_s3_bucket.data.id
  queue {
    id            = "created"
    queue_arn     = aws_sqs_queue.told.arn
    events        = ["s3:ObjectCreated:*"]
    filter_prefix = "in/"
  }
}
resource "aws_s3_object" "hello" {
  bucket       = aws_s3_bucket.log.id
  key          = "a/hello.txt"
  content      = "hello"
  content_type = "text/plain"
  metadata     = { from = "terraform" }
  tags         = { kind = "greeting" }
}
resource "aws_s3_object_copy" "hello" {
  bucket = aws_s3_bucket.log.id
  key    = "b/hello.txt"
  source = "${aws_s3_bucket.log.id}/${aws_s3_object.hello.key}"
  tags   = { kind = "greeting" } # tags are copied along
}
