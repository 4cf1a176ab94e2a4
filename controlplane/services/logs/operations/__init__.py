"""The operations of CloudWatch Logs, a file for each noun."""
