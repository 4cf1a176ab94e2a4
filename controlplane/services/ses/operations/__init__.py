"""The operations of SES, a file for each noun."""
