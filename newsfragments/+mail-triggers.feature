Triggers by mail, for operators that make an SMS of it: STARTTLS or TLS with verified names, log-in, retries, bounces
taken back into the trace. And the other way round: an older server that knows only triggers by mail sends them to the
SMTP intake, from where they go out by SMPP as they are.
