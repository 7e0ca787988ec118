A mail that has waited four hours for the relay (`relay.delay_warning_hours`) is told of in the Inbox of its sender, once.
