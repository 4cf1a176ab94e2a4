terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "~> 5.0" }
  }
}
variable "endpoint" {}
variable "image" {}
variable "key" {}
provider "aws" {
  region                     = "us-east-1"
  skip_requesting_account_id = false
  skip_metadata_api_check    = true
  skip_region_validation     = true
  endpoints {
    ec2 = var.endpoint
    iam = var.endpoint
    sts = var.endpoint
  }
}
resource "aws_vpc" "it" {
  cidr_block           = "10.20.0.0/16"
  enable_dns_hostnames = true
  tags                 = { Name = "it" }
}
resource "aws_internet_gateway" "it" {
  vpc_id = aws_vpc.it.id
}
resource "aws_subnet" "it" {
  vpc_id                  = aws_vpc.it.id
  cidr_block              = "10.20.1.0/24"
  availability_zone       = "us-east-1a"
  map_public_ip_on_launch = true
}
resource "aws_route_table" "it" {
  vpc_id = aws_vpc.it.id
  route {
    cidr_block = "0.0.0.0/0"
    gateway_id = aws_internet_gateway.it.id
  }
}
resource "aws_route_table_association" "it" {
  subnet_id      = aws_subnet.it.id
  route_table_id = aws_route_table.it.id
}
resource "aws_security_group" "web" {
  name   = "web"
  vpc_id = aws_vpc.it.id
  ingress {
    description = "ssh"
    from_port   = 22
    to_port     = 22
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
resource "aws_security_group" "inner" {
  name   = "inner"
  vpc_id = aws_vpc.it.id
}
resource "aws_vpc_security_group_ingress_rule" "one" {
  security_group_id            = aws_security_group.inner.id
  referenced_security_group_id = aws_security_group.web.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
  tags                         = { Name = "one" }
}
resource "aws_security_group_rule" "two" {
  type              = "egress"
  security_group_id = aws_security_group.inner.id
  protocol          = "-1"
  from_port         = 0
  to_port           = 0
  cidr_blocks       = ["0.0.0.0/0"]
}
resource "aws_key_pair" "it" {
  key_name   = "it"
  public_key = var.key
}
resource "aws_iam_role" "it" {
  name = "it"
  assume_role_policy = jsonencode({
    Version   = "2012-10-17"
    Statement = [{ Effect = "Allow", Action = "sts:AssumeRole", Principal = { Service = "ec2.amazonaws.com" } }]
  })
}
resource "aws_iam_instance_profile" "it" {
  name = "it"
  role = aws_iam_role.it.name
}
resource "aws_network_interface" "it" {
  subnet_id       = aws_subnet.it.id
  security_groups = [aws_security_group.inner.id]
}
resource "aws_eip" "it" {
  domain            = "vpc"
  network_interface = aws_network_interface.it.id
  depends_on        = [aws_internet_gateway.it]
}
resource "aws_instance" "it" {
  ami                    = var.image
  instance_type          = "t3.nano"
  subnet_id              = aws_subnet.it.id
  vpc_security_group_ids = [aws_security_group.web.id]
  key_name               = aws_key_pair.it.key_name
  iam_instance_profile   = aws_iam_instance_profile.it.name
  user_data              = "#!/bin/sh\ntrue\n"
  tags                   = { Name = "it" }
}
resource "aws_eip" "instance" {
  domain     = "vpc"
  instance   = aws_instance.it.id
  depends_on = [aws_internet_gateway.it]
}
data "aws_availability_zones" "all" {}
data "aws_caller_identity" "me" {}
