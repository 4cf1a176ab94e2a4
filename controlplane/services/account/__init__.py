"""Account: contacts, regions and the name of an account."""
