terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.0" }
  }
}
variable "endpoint" {}
variable "email" {}
provider "aws" {
  region                  = "us-east-1"
  skip_metadata_api_check = true
  skip_region_validation  = true
  endpoints {
    budgets       = var.endpoint
    iam           = var.endpoint
    organizations = var.endpoint
    servicequotas = var.endpoint
    sts           = var.endpoint
  }
}
resource "aws_organizations_organization" "school" {
  feature_set          = "ALL"
  enabled_policy_types = ["SERVICE_CONTROL_POLICY"]
}
resource "aws_organizations_organizational_unit" "class" {
  name      = "class"
  parent_id = aws_organizations_organization.school.roots[0].id
  tags      = { term = "autumn" }
}
resource "aws_organizations_account" "student" {
  name      = "student"
  email     = var.email
  parent_id = aws_organizations_organizational_unit.class.id
  tags      = { seat = "1" }
  # Without close_on_deletion: a closed account stays in its unit, here as at AWS, and keeps that from being deleted.
}
resource "aws_organizations_policy" "small" {
  name       = "small-machines"
  depends_on = [aws_organizations_organization.school]
  content = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Deny"
      Action    = "ec2:RunInstances"
      Resource  = "arn:aws:ec2:*:*:instance/*"
      Condition = { StringNotLike = { "ec2:InstanceType" = "t3.*" } }
    }]
  })
}
resource "aws_organizations_policy_attachment" "small" {
  policy_id = aws_organizations_policy.small.id
  target_id = aws_organizations_organizational_unit.class.id
}
resource "aws_budgets_budget" "student" {
  name         = "student"
  budget_type  = "COST"
  limit_amount = "20"
  limit_unit   = "USD"
  time_unit    = "MONTHLY"
  cost_filter {
    name   = "LinkedAccount"
    values = [aws_organizations_account.student.id]
  }
  notification {
    comparison_operator        = "GREATER_THAN"
    notification_type          = "FORECASTED"
    subscriber_email_addresses = ["teacher@example.com"]
    threshold                  = 80
    threshold_type             = "PERCENTAGE"
  }
  tags = { term = "autumn" }
}
resource "aws_iam_role" "budgets" {
  name = "budgets"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "budgets.amazonaws.com" } }]
  })
}
resource "aws_iam_policy" "stop" {
  name = "no-launches"
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Deny", Action = "ec2:RunInstances", Resource = "*" }]
  })
}
resource "aws_iam_user" "assistant" {
  name = "assistant"
}
resource "aws_budgets_budget_action" "stop" {
  budget_name        = aws_budgets_budget.student.name
  action_type        = "APPLY_IAM_POLICY"
  approval_model     = "AUTOMATIC"
  notification_type  = "ACTUAL"
  execution_role_arn = aws_iam_role.budgets.arn
  action_threshold {
    action_threshold_type  = "ABSOLUTE_VALUE"
    action_threshold_value = 15
  }
  definition {
    iam_action_definition {
      policy_arn = aws_iam_policy.stop.arn
      users      = [aws_iam_user.assistant.name]
    }
  }
  subscriber {
    address           = "teacher@example.com"
    subscription_type = "EMAIL"
  }
}
resource "aws_servicequotas_service_quota" "vpcs" {
  service_code = "vpc"
  quota_code   = "L-F678F1CE"
  value        = 7
}
