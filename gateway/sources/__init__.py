"""Where Changes come from, and where items are read and written."""
