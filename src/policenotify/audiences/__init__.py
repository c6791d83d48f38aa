"""Who receives mails and SMS: subscribers, where they come from, and whom a message concerns."""
