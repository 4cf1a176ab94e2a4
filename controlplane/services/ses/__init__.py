"""Amazon SES: identities, mail out of them, and the mailbox that it ends in."""
