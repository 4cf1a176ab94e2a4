"""The operations of SNS, a file for each noun."""
