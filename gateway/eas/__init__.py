"""Exchange ActiveSync over HTTP: codecs and commands."""
