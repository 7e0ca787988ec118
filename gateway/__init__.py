"""pushgw: Exchange ActiveSync Direct Push for mail servers built on open parts."""

__version__ = "0.1.0.dev0"
