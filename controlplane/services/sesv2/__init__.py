"""Amazon SES, version 2 of its API: the same identities, mails and lists as version 1."""
