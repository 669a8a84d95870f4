"""Links and texts that a task run leaves on its page of the user interface."""
